"""Opening, creating and asking a repository; revisions, marks, detached metadata."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import (
    AmbiguousRevError,
    InvalidNameError,
    NotFoundError,
    OstreeError,
    RefNotFoundError,
    describe,
)
from pyostree.formats.commit import Commit, encode_commit
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum, ObjectType
from pyostree.formats.refspec import Refspec
from pyostree.fs.dir import Dir
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo

ZERO = Checksum(bytes(32))


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with Repo.create(tmp_path / "repo", RepoMode.ARCHIVE) as opened:
        yield opened


def add_commit(repo: Repo, number: int, parent: Checksum | None = None) -> Checksum:
    made = Commit((), parent, (), f"number {number}", "", number, ZERO, ZERO)
    return repo.write_metadata(ObjectType.COMMIT, encode_commit(made))


@pytest.mark.parametrize("mode", RepoMode, ids=lambda mode: mode.value)
def test_create_layout(tmp_path: Path, mode: RepoMode) -> None:
    path = tmp_path / "repo"
    with Repo.create(path, mode, collection_id="org.example.A") as repo:
        assert repo.mode is mode
        assert repo.config.collection_id == "org.example.A"
    assert (path / "config").read_text() == (
        f"[core]\nrepo_version=1\nmode={mode.value}\ncollection-id=org.example.A\n"
    )
    names = {str(found.relative_to(path)) for found in path.rglob("*")}
    assert names == {
        "config", "extensions", "objects", "refs", "refs/heads", "refs/mirrors", "refs/remotes",
        "state", "tmp", "tmp/cache",
    }  # fmt: skip


def test_create_again_changes_nothing(tmp_path: Path) -> None:
    Repo.create(tmp_path / "repo", RepoMode.ARCHIVE).close()
    with Repo.create(tmp_path / "repo", RepoMode.BARE, collection_id="org.example.A") as repo:
        assert repo.mode is RepoMode.ARCHIVE
        assert repo.config.collection_id is None


@pytest.mark.parametrize(
    ("path", "collection", "message"),
    [
        ("no/repo", None, "Creating repo: mkdirat: No such file or directory"),
        ("file", None, "Creating repo: mkdirat: File exists"),
        ("new", "bad", "Invalid collection ID bad"),
    ],
)
def test_create_refused(tmp_path: Path, path: str, collection: str | None, message: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((OSError, OstreeError), match=r"\w") as caught:
        Repo.create(tmp_path / path, collection_id=collection)
    assert describe(caught.value) == message
    assert os.listdir(tmp_path) == ["file"]


def test_open_missing_names_the_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        Repo.open("no")
    assert describe(caught.value) == (
        f"opening repo: opendir({tmp_path}/no): No such file or directory"
    )


def test_open_below_a_directory(repo: Repo, tmp_path: Path) -> None:
    with Dir.at(tmp_path) as directory:
        with Repo.create_below(directory, "second") as second:
            assert second.mode is RepoMode.BARE
        with Repo.open_below(directory, "repo") as again:
            assert again.mode is repo.mode


@pytest.mark.parametrize(("skip", "exists"), [(None, True), ("1", False)])
def test_open_makes_tmp_and_cache_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skip: str | None, exists: bool
) -> None:
    path = tmp_path / "repo"
    Repo.create(path).close()
    (path / "tmp/cache").rmdir()
    (path / "tmp").rmdir()
    if skip is not None:
        monkeypatch.setenv("OSTREE_SKIP_CACHE", skip)
    Repo.open(path).close()
    assert (path / "tmp").is_dir()
    assert (path / "tmp/cache").is_dir() == exists


def test_boot_id_can_be_given(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(repo.boot_id) == 36
    monkeypatch.setenv("OSTREE_BOOTID", "other")
    with Repo.open(repo.path) as again, again.transaction():
        assert [name for name in os.listdir(Path(repo.path, "tmp")) if "staging-other-" in name]


# -- revisions -----------------------------------------------------------------------------------


def test_resolve_every_form_of_a_revision(repo: Repo) -> None:
    first = add_commit(repo, 1)
    second = add_commit(repo, 2, first)
    third = add_commit(repo, 3, second)
    repo.set_ref(Refspec(None, "main"), third)
    repo.set_ref(Refspec("origin", "there"), second)
    for rev, expected in {
        "main": third,
        "main^": second,
        "main^^": first,
        "origin:there": second,
        "there": second,
        "origin/there": second,
        str(first): first,
        f"{third}^": second,
        str(ZERO): ZERO,  # existence is not checked
    }.items():
        assert repo.resolve(rev) == expected
    for length in range(1, 64):
        found = [commit for commit in (first, second, third)
                 if str(commit).startswith(str(first)[:length])]  # fmt: skip
        if len(found) == 1:
            assert repo.resolve(str(first)[:length]) == first
        else:
            with pytest.raises(AmbiguousRevError):
                repo.resolve(str(first)[:length])


def test_resolve_empty_text_is_the_only_commit(repo: Repo) -> None:
    with pytest.raises(InvalidNameError):
        repo.resolve("")
    only = add_commit(repo, 1)
    assert repo.resolve("") == only
    add_commit(repo, 2)
    with pytest.raises(AmbiguousRevError, match="Refspec  not unique"):
        repo.resolve("")


@pytest.mark.parametrize(
    ("rev", "kind", "message"),
    [
        ("no", RefNotFoundError, "Refspec 'no' not found"),
        ("origin:no", RefNotFoundError, "Refspec 'origin:no' not found"),
        ("dead", RefNotFoundError, "Refspec 'dead' not found"),
        ("no^", RefNotFoundError, "Refspec 'no' not found"),
        ("a b", InvalidNameError, "Invalid refspec a b"),
        ("A" * 64, RefNotFoundError, f"Refspec '{'A' * 64}' not found"),
    ],
)
def test_resolve_what_does_not_exist(
    repo: Repo, rev: str, kind: type[OstreeError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        repo.resolve(rev)
    assert str(caught.value) == message


def test_resolve_parent_of_the_first_commit_is_an_error(repo: Repo) -> None:
    only = add_commit(repo, 1)
    with pytest.raises(NotFoundError) as caught:
        repo.resolve(f"{only}^")
    assert str(caught.value) == f"Commit {only} has no parent"


def test_resolve_many_carets_do_not_recurse(repo: Repo) -> None:
    only = add_commit(repo, 1)
    with pytest.raises(NotFoundError, match="has no parent"):
        repo.resolve(f"{only}" + "^" * 5000)


def test_parent_repository_answers_for_what_is_missing(repo: Repo, tmp_path: Path) -> None:
    commit = add_commit(repo, 1)
    repo.set_ref(Refspec(None, "main"), commit)
    repo.mark_partial(commit)
    repo.write_detached_metadata(commit, (("k", Variant("s", "v")),))
    child_path = tmp_path / "child"
    Repo.create(child_path, RepoMode.BARE_USER).close()
    with (child_path / "config").open("a") as config:
        config.write(f"parent={repo.path}\n")
    with Repo.open(child_path) as child:
        assert child.resolve("main") == commit
        assert child.resolve(str(commit)[:10]) == commit
        assert child.load_commit(commit).subject == "number 1"
        assert child.is_partial(commit)
        assert child.read_detached_metadata(commit) == (("k", Variant("s", "v")),)
        assert list(child.store.iter_commits()) == [commit]
        assert child.refs.list() == {}
        own = add_commit(child, 1)
        assert own == commit
        assert not child.is_partial(commit)


# -- marks and settings --------------------------------------------------------------------------


def test_partial_mark_keeps_its_first_reason(repo: Repo) -> None:
    assert not repo.is_partial(ZERO)
    repo.mark_partial(ZERO, b"f")
    repo.mark_partial(ZERO, b"")
    assert repo.is_partial(ZERO)
    assert repo.partial_reason(ZERO) == b"f"
    repo.clear_partial(ZERO)
    repo.clear_partial(ZERO)
    assert not repo.is_partial(ZERO)
    assert repo.partial_reason(ZERO) == b""


def test_detached_metadata(repo: Repo) -> None:
    assert repo.read_detached_metadata(ZERO) is None
    repo.write_detached_metadata(ZERO, (("k", Variant("u", 5)),))
    assert repo.read_detached_metadata(ZERO) == (("k", Variant("u", 5)),)
    repo.write_detached_metadata(ZERO, None)
    assert repo.read_detached_metadata(ZERO) == ()


def test_write_config_is_checked_and_used_at_once(repo: Repo) -> None:
    keyfile = repo.config.keyfile
    before = Path(repo.path, "config").read_bytes()
    keyfile.set_string("core", "mode", "nonsense")
    with pytest.raises(OstreeError, match="Invalid mode"):
        repo.write_config(keyfile)
    assert Path(repo.path, "config").read_bytes() == before
    keyfile.set_string("core", "mode", "archive-z2")
    keyfile.set_string("core", "tombstone-commits", "true")
    repo.write_config(keyfile)
    assert repo.config.tombstone_commits()


def test_fsync_can_be_switched_off(repo: Repo) -> None:
    assert repo.fsync
    repo.sync_each_object()
    assert repo.store.settings.sync_objects
    repo.disable_fsync()
    assert not repo.fsync
    assert not repo.store.settings.sync_objects


def test_close_leaves_no_descriptors(tmp_path: Path) -> None:
    Repo.create(tmp_path / "repo").close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with Repo.open(tmp_path / "repo") as repo, repo.transaction():
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_configuration_of_a_foreign_repository_is_limited(tmp_path: Path) -> None:
    Repo.create(tmp_path / "repo").close()
    with (tmp_path / "repo/config").open("a") as config:
        config.write("#\n" * (1 << 19))
    Repo.open(tmp_path / "repo").close()
    with pytest.raises(OSError, match="File too large"):
        Repo.open_foreign(Dir.at(tmp_path / "repo"), "repo")
