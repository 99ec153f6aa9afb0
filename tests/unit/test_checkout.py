"""Checking out from Python: links, copies, overwriting, and what a hostile tree cannot do."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import OstreeError, PathNotFoundError, describe
from pyostree.formats.commit import Commit, encode_commit
from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.gvariant import encode
from pyostree.formats.objects import Checksum, ObjectType
from pyostree.fs.dir import Dir
from pyostree.repo.checkout import checkout
from pyostree.repo.checkout_options import CheckoutOptions, Overwrite
from pyostree.repo.checkout_request import CheckoutRequest, checkout_many, checkout_one
from pyostree.repo.repo import Repo
from pyostree.repo.uncompressed_cache import CACHE_NAME, UncompressedCache, collect_garbage
from repo_lab import MODES, commit, make_repo, write_files

USER = CheckoutOptions(user_mode=True)


@pytest.fixture(params=MODES)
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Repo]:
    path = make_repo(tmp_path / "repo", request.param)
    tree = write_files(tmp_path / "tree", {"file": "text", "empty": "", "dir/sub/other": "x"})
    (tree / "dir/link").symlink_to("../file")
    (tree / "dir/tool").write_text("tool")
    (tree / "dir/tool").chmod(0o755)
    commit(path, "-b", "main", tree)
    with Repo.open(path) as opened:
        yield opened


def check_out(repo: Repo, place: Path, options: CheckoutOptions = USER, path: str = "/") -> Path:
    with Dir.at(place) as parent:
        checkout(repo, repo.resolve("main"), parent, "out", options, subpath=path)
    return place / "out"


def test_checkout_gives_the_tree(repo: Repo, tmp_path: Path) -> None:
    out = check_out(repo, tmp_path)
    assert (out / "file").read_text() == "text"
    assert os.readlink(out / "dir/link") == "../file"
    assert stat.S_IMODE((out / "dir/tool").stat().st_mode) == 0o755
    assert (out / "dir/sub").stat().st_mtime == 0
    is_linked = (out / "file").stat().st_nlink > 1
    assert is_linked == (repo.mode.value in ("bare-user", "bare-user-only"))
    assert (out / "empty").stat().st_nlink == 1


def test_checkout_force_copy_links_nothing(repo: Repo, tmp_path: Path) -> None:
    out = check_out(repo, tmp_path, CheckoutOptions(user_mode=True, force_copy=True))
    assert all(path.lstat().st_nlink == 1 for path in out.rglob("*") if not path.is_dir())


def test_checkout_over_a_directory_is_refused(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError):
        check_out(repo, tmp_path)


@pytest.mark.parametrize(
    ("overwrite", "content"), [(Overwrite.UNION, "text"), (Overwrite.ADD, "mine")]
)
def test_checkout_over_files(
    repo: Repo, tmp_path: Path, overwrite: Overwrite, content: str
) -> None:
    write_files(tmp_path / "out", {"file": "mine", "own": "own"})
    out = check_out(repo, tmp_path, CheckoutOptions(user_mode=True, overwrite=overwrite))
    assert (out / "file").read_text() == content
    assert (out / "own").read_text() == "own"
    assert not [name for name in os.listdir(tmp_path / "repo/tmp") if "union" in name]


def test_checkout_through_a_planted_link_is_refused(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/dir").symlink_to(tmp_path / "precious")
    with pytest.raises(NotADirectoryError) as caught:
        check_out(repo, tmp_path, CheckoutOptions(user_mode=True, overwrite=Overwrite.UNION))
    assert describe(caught.value) == "opendir(dir): Not a directory"
    assert os.listdir(tmp_path / "precious") == []


def test_checkout_replaces_a_planted_link_to_a_file(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/file").symlink_to(tmp_path / "precious")
    out = check_out(repo, tmp_path, CheckoutOptions(user_mode=True, overwrite=Overwrite.UNION))
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (out / "file").is_symlink()


@pytest.mark.parametrize("skip", ["/dir/sub", "/dir/sub/", "/file", "/"])
def test_checkout_skip_list(repo: Repo, tmp_path: Path, skip: str) -> None:
    out = check_out(repo, tmp_path, CheckoutOptions(user_mode=True, skip_list=frozenset({skip})))
    if skip == "/":
        assert not out.exists()
    else:
        assert not (out / skip.strip("/")).exists()
        assert (out / "dir/tool").exists()


@pytest.mark.parametrize(
    ("path", "names"),
    [("/dir", ["link", "sub", "tool"]), ("dir/sub", ["other"]), ("/file", ["file"])],
)
def test_checkout_subpath(repo: Repo, tmp_path: Path, path: str, names: list[str]) -> None:
    assert sorted(os.listdir(check_out(repo, tmp_path, path=path))) == names


def test_checkout_subpath_missing(repo: Repo, tmp_path: Path) -> None:
    with pytest.raises(PathNotFoundError):
        check_out(repo, tmp_path, path="/no/such")
    assert not (tmp_path / "out").exists()


def test_uncompressed_cache_unpacks_once_without_setuid(tmp_path: Path) -> None:
    path = make_repo(tmp_path / "repo")
    tree = write_files(tmp_path / "tree", {"su": "program"})
    (tree / "su").chmod(0o4755)
    commit(path, "-b", "main", tree)
    with Repo.open(path) as repo:
        out = check_out(repo, tmp_path, CheckoutOptions(user_mode=True, use_cache=True))
        (cached,) = (path / CACHE_NAME).glob("??/*.file")
        assert cached.samefile(out / "su")
        assert stat.S_IMODE(cached.stat().st_mode) == 0o755
        checksum = Checksum(bytes.fromhex(cached.parent.name + cached.stem))
        inode = cached.stat().st_ino
        UncompressedCache(repo).ensure(checksum)
        assert cached.stat().st_ino == inode


def test_uncompressed_cache_garbage_is_what_no_checkout_has(tmp_path: Path) -> None:
    path = make_repo(tmp_path / "repo")
    commit(path, "-b", "main", write_files(tmp_path / "tree", {"a": "one", "b": "two"}))
    with Repo.open(path) as repo:
        assert collect_garbage(repo) == 0
        out = check_out(repo, tmp_path, CheckoutOptions(user_mode=True, use_cache=True))
        (path / CACHE_NAME / "stray").write_text("")
        assert collect_garbage(repo) == 0
        (out / "a").unlink()
        assert collect_garbage(repo) == 1
        (left,) = (path / CACHE_NAME).glob("??/*.file")
        assert left.samefile(out / "b")


def test_uncompressed_cache_entry_that_vanishes_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_repo(tmp_path / "repo")
    commit(path, "-b", "main", write_files(tmp_path / "tree", {"a": "one"}))
    ensure = UncompressedCache.ensure

    def ensure_and_lose(self: UncompressedCache, checksum: Checksum) -> Dir:
        place = ensure(self, checksum)
        collect_garbage(repo)
        return place

    monkeypatch.setattr(UncompressedCache, "ensure", ensure_and_lose)
    with Repo.open(path) as repo:
        out = check_out(repo, tmp_path, CheckoutOptions(user_mode=True, use_cache=True))
    assert (out / "a").read_text() == "one"


# -- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            CheckoutRequest(union=True, union_add=True),
            "Cannot specify both --union and --union-add",
        ),
        (
            CheckoutRequest(require_hardlinks=True, force_copy=True),
            "Cannot specify both --require-hardlinks and --force-copy",
        ),
        (
            CheckoutRequest(union_identical=True),
            "--union-identical requires --require-hardlinks",
        ),
    ],
)
def test_request_that_contradicts_itself(
    repo: Repo, tmp_path: Path, request_: CheckoutRequest, message: str
) -> None:
    with pytest.raises(OstreeError) as caught:
        checkout_one(repo, request_, "main", str(tmp_path / "out"))
    assert str(caught.value) == message


def test_request_for_a_list_of_trees(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"main\0/dir\0main\0/dir/sub\0\0ignored")
    request = CheckoutRequest(user_mode=True, union=True)
    checkout_many(repo, request, str(tmp_path / "out"), str(tmp_path / "list"))
    assert sorted(os.listdir(tmp_path / "out")) == ["link", "other", "sub", "tool"]
    (tmp_path / "list").write_bytes(b"main\0/dir/sub\0main\0")
    checkout_many(repo, request, str(tmp_path / "whole"), str(tmp_path / "list"))
    assert {"dir", "other"} < set(os.listdir(tmp_path / "whole"))


# -- hostile trees -------------------------------------------------------------------------------


def store_raw(repo: Repo, kind: ObjectType, data: bytes) -> Checksum:
    return repo.store.put_metadata(kind, data).checksum  # as if it had always been there


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../../escape", "", "/abs"])
@pytest.mark.parametrize("kind", ["file", "dir"])
def test_checkout_of_names_that_leave_the_tree_writes_nothing(
    tmp_path: Path, name: str, kind: str
) -> None:
    with Repo.open(make_repo(tmp_path / "repo")) as repo:
        meta = store_raw(repo, ObjectType.DIRMETA, encode_dirmeta(Dirmeta(0, 0, 0o40755)))
        empty = store_raw(repo, ObjectType.DIRTREE, b"\0")
        file = commit(tmp_path / "repo", "-b", "x", write_files(tmp_path / "tree", {"f": "x"}))
        content = repo.load_dirtree(repo.load_commit(repo.resolve(file)).root_tree).files[0][1]
        files = ((name, content),) if kind == "file" else ()
        dirs = ((name, empty, meta),) if kind == "dir" else ()
        tree = store_raw(repo, ObjectType.DIRTREE, encode("(a(say)a(sayay))", (files, dirs)))
        made = Commit((), None, (), "", "", 0, tree, meta)
        checksum = store_raw(repo, ObjectType.COMMIT, encode_commit(made))
        (tmp_path / "place").mkdir()
        with Dir.at(tmp_path / "place") as parent, pytest.raises(OstreeError, match="Invalid"):
            checkout(repo, checksum, parent, "out", USER)
    assert not [path for path in (tmp_path / "place").rglob("*") if path.name != "out"]
