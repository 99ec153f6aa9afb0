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
