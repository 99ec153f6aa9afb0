"""Reading headers quickly gives what the general way gives, and leaves the rest to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import FormatError, ObjectNotFoundError
from pyostree.formats.objects import Checksum, loose_path
from pyostree.repo.repo import Repo
from pyostree.repo.store.glance import header_reader
from pyostree.repo.tree import CommitTree, TreeFile
from repo_lab import MODES, commit, make_repo, make_tree, write_files


@pytest.fixture(params=MODES)
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Repo]:
    path = make_repo(tmp_path / "repo", request.param)
    tree = make_tree(tmp_path / "tree")
    (tree / "long-link").symlink_to("x" * 600)
    commit(path, "-b", "main", "--canonical-permissions", tree)
    with Repo.open(path) as opened:
        yield opened


def files_of(repo: Repo) -> list[Checksum]:
    tree = CommitTree(repo, repo.resolve("main"))
    return [entry.checksum for entry in tree.walk(tree.root) if isinstance(entry, TreeFile)]


@pytest.mark.parametrize("with_xattrs", [False, True], ids=["plain", "xattrs"])
def test_glance_every_object_as_the_store_reads_it(repo: Repo, with_xattrs: bool) -> None:
    read = header_reader(repo.store, with_xattrs=with_xattrs)
    for checksum in files_of(repo):
        header, size = read(checksum)
        expected, expected_size = repo.store.read_header(checksum)
        if not with_xattrs:
            header, expected = (found._replace(xattrs=()) for found in (header, expected))
        assert (header, size) == (expected, expected_size)


def test_glance_missing_object_is_the_stores_error(repo: Repo) -> None:
    with pytest.raises(ObjectNotFoundError, match="Couldn't find file object"):
        header_reader(repo.store, with_xattrs=True)(Checksum(b"\1" * 32))


@pytest.mark.parametrize("data", [b"", b"\0\0\0\x10", b"\0\0\0\x04\0\0\0\0abcd", b"\xff" * 600])
def test_glance_damaged_archive_object_is_the_stores_error(tmp_path: Path, data: bytes) -> None:
    path = make_repo(tmp_path / "repo")
    commit(path, "-b", "main", write_files(tmp_path / "tree", {"a": "a"}))
    with Repo.open(path) as repo:
        [checksum] = files_of(repo)
        (path / "objects" / loose_path(checksum, "filez")).write_bytes(data)
        with pytest.raises(FormatError):
            header_reader(repo.store, with_xattrs=False)(checksum)
