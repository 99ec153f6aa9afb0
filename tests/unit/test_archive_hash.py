"""The quick way to hash an archived object gives what the general way gives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import loose_path
from pyostree.fs.file import InputFile
from pyostree.repo.repo import Repo
from pyostree.repo.store.archive_hash import hash_plain
from pyostree.repo.store.base import ObjectStore
from repo_lab import make_repo

_PLAIN = FileHeader(5, 6, 0o104755)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.open(make_repo(tmp_path_factory.mktemp("hash") / "repo"))


@given(st.binary(max_size=8000), st.integers(1, 400))
def test_hash_plain_same_as_general_way(repo: Repo, data: bytes, times: int) -> None:
    content = data * times
    written = repo.store.write_content(_PLAIN, [content] if content else [], size=len(content))
    with InputFile.open(repo.store.objects, loose_path(written.checksum, "filez")) as file:
        assert hash_plain(file) == (_PLAIN, written.checksum)
    assert ObjectStore.hash_content(repo.store, written.checksum) == (_PLAIN, written.checksum)


@pytest.mark.parametrize(
    "header",
    [
        FileHeader(0, 0, 0o120777, "target"),
        FileHeader(0, 0, 0o100644, "", ((b"user.a", b"1"),)),
    ],
    ids=["symlink", "xattrs"],
)
def test_hash_plain_leaves_the_unusual_to_others(repo: Repo, header: FileHeader) -> None:
    content = [] if header.is_symlink else [b"x"]
    written = repo.store.write_content(header, content, size=len(content))
    with InputFile.open(repo.store.objects, loose_path(written.checksum, "filez")) as file:
        assert hash_plain(file) is None
    assert repo.store.hash_content(written.checksum) == (header, written.checksum)


def test_hash_content_larger_than_memory_limit_is_streamed(repo: Repo) -> None:
    chunks = [os.urandom(1 << 20), bytes(1 << 20)] * 9
    written = repo.store.write_content(_PLAIN, chunks, size=18 << 20)
    assert repo.store.hash_content(written.checksum) == (_PLAIN, written.checksum)


def test_repo_is_closed_at_the_end(repo: Repo, tmp_path: Path) -> None:
    repo.close()
