"""Sources of archives: files and pipes, decompressed by a thread ahead of the reader."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyostree.errors import OstreeError
from pyostree.formats.archive_format import Compression
from pyostree.formats.archive_member import ArchiveError
from pyostree.repo import archive_stream
from pyostree.repo.archive_stream import ArchiveSource
from tar_lab import COMPRESSORS, chunks_of

DATA = os.urandom(400_000) + bytes(2 << 20)
COMPRESSED = {name: compress(DATA) for name, compress in COMPRESSORS.items() if name != "plain"}


def read_all(path: Path) -> bytes:
    with ArchiveSource(str(path)).stream() as stream:
        return b"".join(stream.rest())


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", COMPRESSORS)
def test_stream_decompresses(name: str, tmp_path: Path) -> None:
    assert read_all(write(tmp_path / "f", COMPRESSORS[name](DATA))) == DATA


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd"])
def test_stream_reads_on_in_further_parts_and_stops_at_junk(name: str, tmp_path: Path) -> None:
    part = COMPRESSORS[name](b"part")
    assert read_all(write(tmp_path / "f", part * 3 + bytes(600) + part)) == b"part" * 4
    assert read_all(write(tmp_path / "f", part + b"junk" * 300)) == b"part"


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd"])
@pytest.mark.parametrize("size", [1, 13, 5000, 1 << 20])
def test_decompress_finds_the_parts_wherever_chunks_end(name: str, size: int) -> None:
    parts = [b"", b"a", b"", b"b" * 30_000, os.urandom(3000), b"", b"c"]
    data = b"".join(COMPRESSORS[name](part) + bytes(len(part) % 7) for part in parts)
    chunks = chunks_of(data + b"junk", size)
    plain = archive_stream._decompress(chunks, Compression[name.upper()], threading.Event())
    assert b"".join(plain) == b"".join(parts)


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd"])
def test_decompress_does_not_copy_the_rest_for_each_tiny_part(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = []
    real = archive_stream._decompressor

    class Counting:
        def __init__(self, unit: archive_stream.Decompressor) -> None:
            self._unit = unit

        def __getattr__(self, attribute: str) -> object:
            return getattr(self._unit, attribute)

        def decompress(self, data: bytes, limit: int) -> bytes:
            handed.append(len(data))
            return self._unit.decompress(data, limit)

    def counting(
        compression: Compression,
    ) -> tuple[Callable[[], Counting], type[Exception]]:
        make, error = real(compression)
        return lambda: Counting(make()), error

    monkeypatch.setattr(archive_stream, "_decompressor", counting)
    count = 3000
    chunks = iter((COMPRESSORS[name](b"") * count,))
    plain = archive_stream._decompress(chunks, Compression[name.upper()], threading.Event())
    assert list(plain) == []
    assert len(handed) >= count
    assert sum(handed) <= 1024 * len(handed)


def test_decompress_that_is_left_ends_although_the_parts_give_nothing() -> None:
    is_left = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield COMPRESSORS["gzip"](b"") * 100
        is_left.set()
        yield COMPRESSORS["gzip"](b"") * 100
        raise AssertionError("read on after that")

    assert list(archive_stream._decompress(chunks(), Compression.GZIP, is_left)) == []


def test_stream_reads_frames_that_are_to_be_skipped(tmp_path: Path) -> None:
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    part = COMPRESSORS["zstd"](b"part")
    assert read_all(write(tmp_path / "f", skipped + part + skipped + part)) == b"partpart"


def test_stream_decompresses_what_is_compressed_twice_but_not_without_end(tmp_path: Path) -> None:
    data = b"data" * 200
    for name in ("gzip", "xz", "zstd"):
        data = COMPRESSORS[name](data)
    assert read_all(write(tmp_path / "f", data)) == b"data" * 200
    for _ in range(10):
        data = COMPRESSORS["gzip"](data)
    with pytest.raises(ArchiveError, match="more than 8 times"):
        read_all(write(tmp_path / "f", data))


@pytest.mark.parametrize("name", COMPRESSED)
def test_stream_of_truncated_data_is_an_error_after_what_there_was(
    name: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "f", COMPRESSED[name][: len(COMPRESSED[name]) - 9])
    source = ArchiveSource(str(path))
    with source.stream() as stream:
        assert stream.take(1000) == DATA[:1000]
        with pytest.raises(ArchiveError, match="truncated"):
            source.read_trailer(stream)


@pytest.mark.parametrize("name", sorted(set(COMPRESSED) - {"lzma"}))  # which has no check sum
def test_stream_of_damaged_data_is_an_error(name: str, tmp_path: Path) -> None:
    data = bytearray(COMPRESSED[name])
    data[len(data) // 2] ^= 0x10
    with pytest.raises(ArchiveError, match=r"failed|truncated"):
        read_all(write(tmp_path / "f", bytes(data)))


def test_stream_left_early_ends_the_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    path = write(tmp_path / "f", COMPRESSED["gzip"])
    with ArchiveSource(str(path)).stream() as stream:
        stream.take(1)
    assert threading.active_count() == before


def test_stream_of_a_pipe_nobody_writes_to_can_be_left(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    keeps_open = os.open(path, os.O_RDWR)
    os.write(keeps_open, b"x" * 600)
    before = threading.active_count()
    source = ArchiveSource(str(path))
    with source.stream() as stream:
        assert stream.take(600) == b"x" * 600  # although more may come
        source.read_trailer(stream)
    assert threading.active_count() == before
    os.close(keeps_open)


def test_source_that_cannot_be_opened_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OstreeError) as info:
        ArchiveSource("nosuch")
    assert str(info.value) == f"archive_read_open_filename: Failed to open '{tmp_path}/nosuch'"
    with (
        pytest.raises(OstreeError) as info,
        ArchiveSource(".").stream() as stream,
    ):
        stream.take(1)
    assert str(info.value) == f"Error reading '{tmp_path}'"
