"""Rules of the core that were broken once: whiteouts, adopting, revisions, removal, modes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyostree import CommitModifier, Repo, RepoMode, TreeSource
from pyostree.errors import FormatError, InvalidNameError, NotFoundError, OstreeError
from pyostree.formats.commit import Commit, encode_commit
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import ObjectType
from pyostree.formats.refspec import Refspec
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.repo.checkout import checkout
from pyostree.repo.checkout_options import CheckoutOptions, Overwrite
from pyostree.repo.commit import CommitRequest, commit
from pyostree.repo.fsck import FsckOptions
from pyostree.repo.modifier import parse_statoverride
from pyostree.repo.store.records import Adoptable


def commit_directory(repo: Repo, directory: Path, *, consume: bool = False) -> str:
    request = CommitRequest(
        branch="main",
        trees=(TreeSource("dir", str(directory)),),
        modifier=CommitModifier(),
        consume=consume,
    )
    return str(commit(repo, request).checksum)


def layer(tmp_path: Path) -> Path:
    tree = tmp_path / "layer"
    (tree / "foo").mkdir(parents=True)
    (tree / "foo" / "new").write_text("new")
    (tree / ".wh.foo").touch()
    return tree


@pytest.mark.parametrize("mode", [RepoMode.ARCHIVE, RepoMode.BARE_USER], ids=lambda m: m.value)
def test_whiteout_removes_old_directory_but_not_its_replacement(
    tmp_path: Path, mode: RepoMode
) -> None:
    (tmp_path / "out" / "foo").mkdir(parents=True)
    (tmp_path / "out" / "foo" / "old").write_text("old")
    with Repo.create(tmp_path / "repo", mode) as repo, Dir.at(tmp_path) as parent:
        commit_directory(repo, layer(tmp_path))
        options = CheckoutOptions(user_mode=True, overwrite=Overwrite.UNION, whiteouts=True)
        checkout(repo, repo.resolve("main"), parent, "out", options)
    assert sorted(os.listdir(tmp_path / "out")) == ["foo"]
    assert os.listdir(tmp_path / "out" / "foo") == ["new"]


def test_symlink_named_like_a_whiteout_is_an_ordinary_symlink(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / ".wh.foo").symlink_to("elsewhere")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "foo").write_text("kept")
    with Repo.create(tmp_path / "repo") as repo, Dir.at(tmp_path) as parent:
        commit_directory(repo, tree)
        options = CheckoutOptions(overwrite=Overwrite.UNION, whiteouts=True)
        checkout(repo, repo.resolve("main"), parent, "out", options)
    assert (tmp_path / "out" / "foo").read_text() == "kept"
    assert (tmp_path / "out" / ".wh.foo").is_symlink()


def test_checkout_into_a_link_to_a_directory_fills_that_directory(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Repo.create(tmp_path / "repo") as repo, Dir.at(tmp_path) as parent:
        commit_directory(repo, layer(tmp_path))
        options = CheckoutOptions(overwrite=Overwrite.UNION)
        checkout(repo, repo.resolve("main"), parent, "link", options)
    assert (tmp_path / "real" / "foo" / "new").read_text() == "new"


@pytest.mark.parametrize("line", ["65536 /d", "=24576 /a", "-1 /f", "=1e300 /x"])
def test_statoverride_beyond_permission_bits_is_refused(line: str) -> None:
    with pytest.raises(FormatError, match="Malformed statoverride"):
        parse_statoverride(line)


def test_adopting_a_file_that_was_replaced_after_hashing_leaves_it_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hashed")
    with Repo.create(tmp_path / "repo") as repo, Dir.at(tmp_path) as directory:
        with InputFile.open(directory, "file") as file:
            status = file.status()
            (tmp_path / "other").write_text("another")
            os.replace(tmp_path / "other", tmp_path / "file")
            source = Adoptable(file, directory, "file", status.st_size, status.st_mtime_ns)
            with pytest.raises(OstreeError, match="file changed while it was committed"):
                source.check_unchanged()
        assert not list(repo.store.iter_objects())
    assert (tmp_path / "file").read_text() == "another"


def test_consumed_files_become_the_objects_themselves(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("content")
    inode = (tree / "file").stat().st_ino
    with Repo.create(tmp_path / "repo") as repo:
        commit_directory(repo, tree, consume=True)
    assert not tree.exists()
    objects = {path.stat().st_ino for path in (tmp_path / "repo" / "objects").glob("*/*.file")}
    assert inode in objects


def test_thousands_of_parents_end_in_the_usual_error(tmp_path: Path) -> None:
    with Repo.create(tmp_path / "repo") as repo:
        commit_directory(repo, layer(tmp_path))
        with pytest.raises(NotFoundError, match="has no parent"):
            repo.resolve("main" + "^" * 5000)


def test_ref_name_that_leads_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x" * 64)
    with (
        Repo.create(tmp_path / "repo") as repo,
        pytest.raises(InvalidNameError, match=r"Invalid refspec \.\./\.\./\.\./secret"),
    ):
        repo.resolve_ref(Refspec(None, "../../../secret"))


def test_fsck_of_binding_that_leads_out_of_the_repository_names_it(tmp_path: Path) -> None:
    from pyostree.repo.fsck import fsck

    class Silent:
        def begin(self, step: str) -> None: ...
        def find(self, problem: str) -> None: ...
        def note(self, text: str) -> None: ...
        def progress(self, done: int, total: int) -> None: ...

    with Repo.create(tmp_path / "repo") as repo:
        commit_directory(repo, layer(tmp_path))
        found = repo.load_commit(repo.resolve("main"))
        forged = Commit(
            metadata=(("ostree.ref-binding", Variant("as", ("../../../secret",))),),
            parent=None,
            related=(),
            subject="",
            body="",
            timestamp=0,
            root_tree=found.root_tree,
            root_meta=found.root_meta,
        )
        repo.disable_fsync()
        repo.write_metadata(ObjectType.COMMIT, encode_commit(forged))
        with pytest.raises(OstreeError, match="Invalid refspec"):
            fsck(repo, FsckOptions(verify_back_refs=True), Silent())


def test_deep_and_wide_trees_are_removed(tmp_path: Path) -> None:
    with Dir.at(tmp_path) as top:
        top.make_dir("tree")
        current = top.open_dir("tree")
        for number in range(20):
            current.make_dir(f"beside-{number}")
        for _ in range(450):
            current.make_dir("d")
            current.create_file("f")
            below = current.open_dir("d")
            current.close()
            current = below
        current.close()
        assert top.remove_tree("tree")
        assert top.list() == []


def test_chmod_refuses_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o600)
    (tmp_path / "link").symlink_to("file")
    with Dir.at(tmp_path) as directory, pytest.raises(OSError, match=r"not supported|symbolic"):
        directory.chmod("link", 0o777)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_junk_longer_than_the_limit_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with Dir.at(tmp_path) as directory, pytest.raises(OSError, match="too large"):
        directory.read_file("huge", max_bytes=4096)
