"""What an archive or a compressed file is, by its first bytes."""

from __future__ import annotations

import enum

from pyostree.formats.archive_member import ArchiveError, ArchiveReader
from pyostree.formats.byte_stream import ByteStream
from pyostree.formats.cpio_reader import CpioReader, is_cpio
from pyostree.formats.tar_header import BLOCK_BYTES, ZERO_BLOCK, is_tar_header
from pyostree.formats.tar_reader import TarReader

SNIFF_BYTES = BLOCK_BYTES


class Compression(enum.Enum):
    """Compressions that are understood."""

    GZIP = enum.auto()
    BZIP2 = enum.auto()
    XZ = enum.auto()
    ZSTD = enum.auto()


_COMPRESSIONS = (
    (b"\x1f\x8b\x08", Compression.GZIP),
    (b"BZh", Compression.BZIP2),
    (b"\xfd7zXZ\0", Compression.XZ),
    (b"]\0\0", Compression.XZ),  # its predecessor, .lzma
    (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
)
# Parallel compressors begin with such a frame, which tells how large the next one is.
_SKIPPABLE = b"\x2a\x4d\x18"
_SKIPPABLE_FIRST = 0x50
# Known to libarchive, not to us; the error says so.
_OTHERS = (
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"LZIP", "lzip"),
    (b"\x89LZO\0", "lzop"),
    (b"LRZI", "lrzip"),
    (b"\x1f\x9d", "compress"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"MSCF", "cabinet"),
    (b"!<arch>\n", "ar"),
    (b"xar!", "xar"),
    (b"WARC/", "WARC"),
    (b"#mtree", "mtree"),
    (b"\xed\xab\xee\xdb", "RPM"),
)


def find_compression(start: bytes) -> Compression | None:
    """Return how a file is compressed, None when it is not.

    Args:
        start: the first `SNIFF_BYTES` of the file, or all of a shorter one.
    """
    if is_tar_header(start):  # whose first bytes are a name, and so can be anything
        return None
    for magic, compression in _COMPRESSIONS:
        if start.startswith(magic):
            return compression
    return Compression.ZSTD if _is_skippable_frame(start) else None


def continues(compression: Compression, start: bytes) -> bool:
    """Tell whether compressed data that ended goes on with another part of the same kind."""
    if compression is Compression.ZSTD and _is_skippable_frame(start):
        return True
    return any(kind is compression and start.startswith(magic) for magic, kind in _COMPRESSIONS)


def _is_skippable_frame(start: bytes) -> bool:
    return start[1:4] == _SKIPPABLE and start[0] & 0xF0 == _SKIPPABLE_FIRST


def open_archive(stream: ByteStream) -> ArchiveReader:
    """Return a reader for the archive in `stream`; an empty file is an empty archive.

    Raises:
        ArchiveError: it is none that we can read.
    """
    start = stream.peek(SNIFF_BYTES)
    if not start or start == ZERO_BLOCK or is_tar_header(start):
        return TarReader(stream)
    if is_cpio(start):
        return CpioReader(stream)
    for magic, name in _OTHERS:
        if start.startswith(magic):
            raise ArchiveError(f"Unsupported archive format {name}; tar and cpio can be read")
    raise ArchiveError("Unrecognized archive format")
