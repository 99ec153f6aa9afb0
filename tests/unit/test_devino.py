"""The devino cache: inodes of content objects, by listing or, where that lies, by looking."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyostree.fs.dir import Dir
from pyostree.repo.checkout import checkout
from pyostree.repo.checkout_options import CheckoutOptions
from pyostree.repo.commit import commit
from pyostree.repo.commit_request import CommitRequest
from pyostree.repo.devino import DevinoCache, Inode, scan_hardlinks
from pyostree.repo.modes import RepoMode
from pyostree.repo.modifier import CommitModifier
from pyostree.repo.repo import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    with Repo.create(str(tmp_path / "repo"), RepoMode.BARE_USER_ONLY):
        pass
    for number in range(5):
        path = tmp_path / f"repo/objects/a{number}/{'0' * 61}{number}.file"
        path.parent.mkdir()
        path.write_text(str(number))
        path.with_suffix(".dirtree").write_text("no content")
    return tmp_path / "repo"


def _scan(repo: Path) -> DevinoCache:
    with Repo.open(str(repo)) as opened:
        return scan_hardlinks(opened)


def _expected(repo: Path) -> dict[Inode, str]:
    found = {}
    for path in repo.glob("objects/*/*.file"):
        status = path.stat()
        found[Inode(status.st_dev, status.st_ino)] = path.parent.name + path.stem
    return found


def test_every_content_object_is_found_by_its_inode(repo: Path) -> None:
    cache = _scan(repo)
    assert {inode: str(checksum) for inode, checksum in cache.items()} == _expected(repo)
    assert len(cache) == 5


def test_a_listing_with_other_numbers_is_not_believed(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Entry:
        def __init__(self, name: str) -> None:
            self.name = name

        def inode(self) -> int:
            return 1

    monkeypatch.setattr(Dir, "scan", lambda self: map(Entry, os.listdir(self.fileno())))
    cache = _scan(repo)
    assert {inode: str(checksum) for inode, checksum in cache.items()} == _expected(repo)


def test_an_archive_has_no_hard_links(tmp_path: Path) -> None:
    with Repo.create(str(tmp_path / "repo"), RepoMode.ARCHIVE) as repo:
        assert scan_hardlinks(repo) == {}


def test_other_files_are_passed_over(repo: Path) -> None:
    (repo / "objects/a0/readme").write_text("")
    (repo / "objects/readme").write_text("")
    assert len(_scan(repo)) == 5


@pytest.mark.parametrize(
    "mode", [RepoMode.BARE_USER, RepoMode.ARCHIVE, RepoMode.BARE_USER_ONLY], ids=lambda m: m.value
)
def test_a_checkout_notes_what_it_links_for_the_next_commit(tmp_path: Path, mode: RepoMode) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in "ab":
        (tree / name).write_text(name)
    (tree / "empty").write_text("")
    with Repo.create(str(tmp_path / "repo"), mode) as repo, Dir.at(tmp_path) as here:
        request = CommitRequest("main", (f"dir={tree}",), CommitModifier(), timestamp=1)
        first = commit(repo, request).checksum
        noted: DevinoCache = {}
        options = CheckoutOptions(user_mode=True, use_cache=True, devino=noted)
        checkout(repo, first, here, "out", options)
        assert len(noted) == 2  # empty files are copied
        for inode in noted:
            assert inode in {
                Inode(status.st_dev, status.st_ino)
                for status in map(Path.stat, (tmp_path / "out").iterdir())
            }
        (tmp_path / "out/new").write_text("new")
        trees = (f"dir={tmp_path / 'out'}",)
        again = commit(repo, CommitRequest("main", trees, CommitModifier(), devino=noted))
        expected = 0 if mode is RepoMode.BARE_USER_ONLY else 2  # which takes no file as it is
        assert again.stats.devino_cache_hits == expected


def _hits(repo: Repo, tree: Path, noted: DevinoCache) -> tuple[int, dict[str, bytes]]:
    """Commit a tree; return how much was not read, and what the commit then holds."""
    made = commit(repo, CommitRequest("new", (f"dir={tree}",), CommitModifier(), devino=noted))
    with Dir.at(tree.parent) as here:
        checkout(repo, made.checksum, here, "again", CheckoutOptions(user_mode=True))
    found = {path.name: path.read_bytes() for path in (tree.parent / "again").iterdir()}
    return made.stats.devino_cache_hits, found


def _checked_out(repo: Repo, top: Path) -> DevinoCache:
    """Commit two files to ``main`` and check them out as ``out``; return what was noted."""
    (top / "tree").mkdir()
    for name in "ab":
        (top / "tree" / name).write_text(name)
    request = CommitRequest("main", (f"dir={top}/tree",), CommitModifier(), timestamp=1)
    first = commit(repo, request).checksum
    noted: DevinoCache = {}
    user_mode = repo.mode is not RepoMode.BARE
    options = CheckoutOptions(user_mode=user_mode, use_cache=True, devino=noted)
    with Dir.at(top) as here:
        checkout(repo, first, here, "out", options)
    assert len(noted) == 2
    return noted


NOTING = pytest.mark.parametrize(
    "mode", [RepoMode.BARE, RepoMode.BARE_USER, RepoMode.ARCHIVE], ids=lambda m: m.value
)


@NOTING
@pytest.mark.parametrize("canonical", [False, True], ids=["", "canonical"])
def test_noted_objects_that_were_pruned_are_read(
    tmp_path: Path, mode: RepoMode, *, canonical: bool
) -> None:
    with Repo.create(str(tmp_path / "repo"), mode) as repo:
        noted = _checked_out(repo, tmp_path)
        for path in (tmp_path / "repo/objects").glob("??/*.file*"):
            path.unlink()
        trees = (f"dir={tmp_path}/out",)
        request = CommitRequest("new", trees, CommitModifier(), devino=noted)
        made = commit(repo, request._replace(devino_canonical=canonical))
        assert made.stats.devino_cache_hits == 0
        with Dir.at(tmp_path) as here:
            checkout(repo, made.checksum, here, "again", CheckoutOptions(user_mode=True))
    assert {path.read_text() for path in (tmp_path / "again").iterdir()} == {"a", "b"}


@NOTING
def test_another_file_with_the_number_of_a_noted_object_is_read(
    tmp_path: Path, mode: RepoMode
) -> None:
    with Repo.create(str(tmp_path / "repo"), mode) as repo:
        noted = _checked_out(repo, tmp_path)
        (tmp_path / "out/other").write_text("other")
        status = (tmp_path / "out/other").stat()
        noted[Inode(status.st_dev, status.st_ino)] = next(iter(noted.values()))
        expected = {"a": b"a", "b": b"b", "other": b"other"}
        assert _hits(repo, tmp_path / "out", noted) == (2, expected)


def test_noted_objects_of_a_parent_are_not_read(tmp_path: Path) -> None:
    for name in ("parent", "repo"):
        with Repo.create(str(tmp_path / name), RepoMode.BARE_USER):
            pass
    with (tmp_path / "repo/config").open("a") as config:
        config.write(f"parent={tmp_path}/parent\n")
    with Repo.open(str(tmp_path / "parent")) as parent:
        noted = _checked_out(parent, tmp_path)
    with Repo.open(str(tmp_path / "repo")) as repo:
        assert _hits(repo, tmp_path / "out", noted) == (2, {"a": b"a", "b": b"b"})
