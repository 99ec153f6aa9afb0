"""Reading cpio archives as a stream: the portable and the "new" ASCII formats, and the old binary.

A member is a header, a name that ends in NUL, and content; in the newer formats the last two are
padded. Hard links are members that share device and inode; programs differ in which of them has
the content. Source: POSIX.1-1988 "cpio interchange format", ``cpio(5)``.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pyostree.formats.archive_member import ArchiveError, Buffer, Member, MemberKind, show_path
from pyostree.formats.byte_stream import ByteStream

_MAGIC_BYTES = 6
_TRAILER = b"TRAILER!!!"
_MAX_NAME_BYTES = 1 << 20
_MAX_TARGET_BYTES = 1 << 20
_KINDS = {
    stat.S_IFREG: MemberKind.FILE,
    stat.S_IFDIR: MemberKind.DIRECTORY,
    stat.S_IFLNK: MemberKind.SYMLINK,
}
_PERMISSION_BITS = 0o7777
_OCTAL_DIGITS = b"01234567"
_HEX_DIGITS = b"0123456789abcdefABCDEF"


class _Header(NamedTuple):
    inode: tuple[int, int]
    mode: int
    uid: int
    gid: int
    links: int
    name_size: int
    size: int


class _Format(NamedTuple):
    """How one variant writes its header."""

    magic: bytes
    header_bytes: int
    alignment: int
    decode: Callable[[bytes], _Header]


def _decode_new(data: bytes) -> _Header:
    _require_digits(data, _HEX_DIGITS)
    inode, mode, uid, gid, links, _, size, major, minor, _, _, name_size = (
        int(data[start : start + 8], 16) for start in range(6, 102, 8)
    )
    return _Header((major << 32 | minor, inode), mode, uid, gid, links, name_size, size)


def _decode_portable(data: bytes) -> _Header:
    _require_digits(data, _OCTAL_DIGITS)
    device, inode, mode, uid, gid, links = (
        int(data[start : start + 6], 8) for start in range(6, 42, 6)
    )
    name_size, size = int(data[59:65], 8), int(data[65:76], 8)
    return _Header((device, inode), mode, uid, gid, links, name_size, size)


def _require_digits(data: bytes, digits: bytes) -> None:
    if data.strip(digits):  # `int` would take signs, blanks and underscores as well
        raise ArchiveError("Damaged cpio archive")


def _binary(order: str) -> Callable[[bytes], _Header]:
    fields = struct.Struct(f"{order}13H")

    def decode(data: bytes) -> _Header:
        _, device, inode, mode, uid, gid, links, _, _, _, name_size, high, low = fields.unpack(data)
        return _Header((device, inode), mode, uid, gid, links, name_size, high << 16 | low)

    return decode


_FORMATS = (
    _Format(b"070701", 110, 4, _decode_new),
    _Format(b"070702", 110, 4, _decode_new),
    _Format(b"070707", 76, 1, _decode_portable),
    _Format(b"\xc7\x71", 26, 2, _binary("<")),
    _Format(b"\x71\xc7", 26, 2, _binary(">")),
)


def is_cpio(start: bytes) -> bool:
    """Tell whether the first bytes of an archive are those of a cpio archive."""
    return _find_format(start) is not None


def _find_format(start: bytes) -> _Format | None:
    return next((known for known in _FORMATS if start.startswith(known.magic)), None)


class CpioReader:
    """An `ArchiveReader` of cpio archives."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._left = 0
        self._padding = 0
        self._path = b""
        self._first_names: dict[tuple[int, int], bytes] = {}

    def next_member(self) -> Member | None:
        """Return the next member (see `ArchiveReader`)."""
        self._pass_over(self._left + self._padding)
        found = self._next_header()
        if found is None:
            return None
        header, alignment, path = found
        self._path = path
        self._left = header.size
        self._padding = -header.size % alignment
        kind = _KINDS.get(stat.S_IFMT(header.mode), MemberKind.OTHER)
        target = b""
        size = header.size
        if kind is MemberKind.SYMLINK:
            if size > _MAX_TARGET_BYTES:
                raise self._error("Symlink entry has no target")
            target, size = bytes(self.read_content()), 0
        first = self._first_names.setdefault(header.inode, path) if header.links > 1 else path
        if first != path and kind in (MemberKind.FILE, MemberKind.SYMLINK):
            kind, target = MemberKind.HARD_LINK, first
        mode = header.mode & _PERMISSION_BITS
        return Member(path, kind, mode, header.uid, header.gid, size, target)

    def _next_header(self) -> tuple[_Header, int, bytes] | None:
        magic = bytes(self._stream.take(_MAGIC_BYTES))
        if len(magic) < _MAGIC_BYTES:
            raise self._error("Truncated cpio archive")
        known = _find_format(magic)
        if known is None:
            raise self._error("Damaged cpio archive")
        data = magic + self._stream.take(known.header_bytes - len(magic))
        if len(data) < known.header_bytes:
            raise self._error("Truncated cpio archive")
        try:
            header = known.decode(data)
        except ArchiveError as err:
            raise self._error(str(err)) from None
        if not 0 < header.name_size <= _MAX_NAME_BYTES:
            raise self._error("Damaged cpio archive")
        name = bytes(self._stream.take(header.name_size))
        self._pass_over(-(known.header_bytes + header.name_size) % known.alignment)
        if len(name) < header.name_size or not name.endswith(b"\0"):
            raise self._error("Damaged cpio archive")
        path = name.partition(b"\0")[0]
        return None if path == _TRAILER else (header, known.alignment, path)

    # -- content -------------------------------------------------------------------------

    def read_content(self) -> memoryview:
        """Return the content as a whole (see `ArchiveReader`)."""
        size, self._left = self._left, 0
        data = self._stream.take(size)
        if len(data) < size:
            raise self._error("Truncated cpio archive")
        return data

    def iter_content(self) -> Iterator[Buffer]:
        """Yield the content piece by piece (see `ArchiveReader`)."""
        left, self._left = self._left, 0
        for piece in self._stream.pieces(left):
            left -= len(piece)
            yield piece
        if left:
            raise self._error("Truncated cpio archive")

    def _pass_over(self, size: int) -> None:
        self._left = self._padding = 0
        if self._stream.skip(size):
            raise self._error("Truncated cpio archive")

    def _error(self, message: str) -> ArchiveError:
        where = f": {show_path(self._path)}" if self._path else ""
        return ArchiveError(message + where)
