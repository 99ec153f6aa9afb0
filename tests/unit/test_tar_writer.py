"""Members of exported archives, byte by byte."""

from __future__ import annotations

import io
import tarfile

import pytest

from pyostree.formats import tar_writer
from pyostree.formats.tar_writer import END_OF_ARCHIVE, TarEntry, encode_tar_entry, padding


def only(data: bytes) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(data + END_OF_ARCHIVE)) as archive:
        (member,) = archive
    return member


def test_entry_has_the_fields_where_they_belong() -> None:
    entry = TarEntry(b"a/b", tar_writer.FILE, 0o104755, 1000, 7, 5, 1_700_000_001)
    block = encode_tar_entry(entry)
    assert len(block) == 512
    assert block[:4] == b"a/b\0"
    assert block[100:148] == b"0004755\x000001750\x000000007\x0000000000005\x0014524770401\0"
    assert block[148:156] == b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * 32)
    assert block[156:157] == b"0"
    assert block[257:265] == b"ustar  \0"
    assert block[265:] == bytes(247)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (2_097_151, b"7777777\0"),
        (2_097_152, b"\x80\0\0\0\0\x20\0\0"),
        (2**32 - 1, b"\x80\0\0\0\xff\xff\xff\xff"),
    ],
)
def test_owner_that_needs_more_digits_is_binary(value: int, field: bytes) -> None:
    assert encode_tar_entry(TarEntry(b"f", tar_writer.FILE, uid=value))[108:116] == field


def test_size_of_8_gib_is_binary() -> None:
    block = encode_tar_entry(TarEntry(b"f", tar_writer.FILE, size=8 << 30))
    assert block[124:136] == b"\x80" + (8 << 30).to_bytes(11, "big")
    assert tarfile.TarInfo.frombuf(block, "utf-8", "strict").size == 8 << 30


@pytest.mark.parametrize(
    ("mtime", "field"), [(-1, b"00000000000\0"), (0, b"00000000000\0"), (2**40, b"77777777777\0")]
)
def test_time_is_kept_within_its_field(mtime: int, field: bytes) -> None:
    assert encode_tar_entry(TarEntry(b"f", tar_writer.FILE, mtime=mtime))[136:148] == field


@pytest.mark.parametrize(("length", "blocks"), [(100, 1), (101, 3), (511, 3), (512, 4)])
def test_name_of_more_than_100_bytes_has_a_member_of_its_own(length: int, blocks: int) -> None:
    data = encode_tar_entry(TarEntry(b"n" * length, tar_writer.FILE))
    assert len(data) == 512 * blocks
    assert only(data).name == "n" * length


def test_long_target_stands_before_the_long_name() -> None:
    data = encode_tar_entry(TarEntry(b"n" * 200, tar_writer.SYMLINK, target=b"t" * 200))
    assert (data[156:157], data[1024 + 156 : 1024 + 157]) == (b"K", b"L")
    found = only(data)
    assert (found.name, found.linkname, found.type) == ("n" * 200, "t" * 200, b"2")


def test_padding_goes_up_to_the_next_block() -> None:
    assert [len(padding(size)) for size in (0, 1, 511, 512, 513)] == [0, 511, 1, 0, 511]
