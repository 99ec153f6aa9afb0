"""The usual ``.filez``: a regular file without xattrs, small, whose header has a fixed layout.

Most objects of any tree are of this kind, and tens of thousands of them are stored in a row: they
are taken apart with a few slices. What is of another kind, or wrong, is for the general way, which
has the words for it.
"""

from __future__ import annotations

import hashlib
import stat
import struct

from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import Checksum

_PREFIX = b"\0\0\0\x1a\0\0\0\0"  # length and padding
_SUFFIX = b"\0\0\0\0\0\x19"  # device number, empty target, framing offset
_BYTES = 34
_FIELDS = struct.Struct(">QIII")
_HASHED_PREFIX = b"\0\0\0\x12\0\0\0\0"
_HASHED_SUFFIX = b"\0\0\0\0\0\x11"
_MODE_BITS = stat.S_IFREG | 0o7777
_MAX_CONTENT_BYTES = 4 << 20
# No deflate stream holds more than this many times its own size.
MAX_DEFLATE_RATIO = 1032
_RAW_DEFLATE = -15


class PlainFile:
    """One ``.filez`` of this kind; made by `read_plain_file`."""

    __slots__ = ("_packed", "_raw", "gid", "mode", "size", "uid")

    def __init__(self, raw: bytes, size: int, uid: int, gid: int, mode: int) -> None:
        self._raw = raw
        self._packed = memoryview(raw)[_BYTES:]
        self.size = size
        self.uid = uid
        self.gid = gid
        self.mode = mode

    @property
    def header(self) -> FileHeader:
        """Owner and mode."""
        return FileHeader(self.uid, self.gid, self.mode)

    def inflate(self) -> memoryview | None:
        """Return the content; None when the stream is damaged or holds another amount."""
        from deflate import DeflateError, deflate_decompress

        try:
            content = deflate_decompress(self._packed, self.size)
        except DeflateError:
            return None
        return memoryview(content) if len(content) == self.size else None

    def inflate_exactly(self) -> memoryview | None:
        """Do the same; None also when anything follows the stream."""
        from isal import isal_zlib

        inflater = isal_zlib.decompressobj(_RAW_DEFLATE)
        try:
            content = inflater.decompress(self._packed, self.size + 1)
        except isal_zlib.IsalError:  # type: ignore[misc]  # its stub says it is an instance
            return None
        is_whole = inflater.eof and not inflater.unused_data and len(content) == self.size
        return memoryview(content) if is_whole else None

    def has_checksum(self, expected: Checksum, content: memoryview) -> bool:
        """Tell whether header and content are the object `expected`."""
        digest = hashlib.sha256(_HASHED_PREFIX + self._raw[16:28] + _HASHED_SUFFIX)
        digest.update(content)
        return digest.digest() == expected


def read_plain_file(raw: bytes) -> PlainFile | None:
    """Return a ``.filez`` taken apart; None when it is not of this kind."""
    if raw[:8] != _PREFIX or raw[28:_BYTES] != _SUFFIX:
        return None
    size, uid, gid, mode = _FIELDS.unpack_from(raw, 8)
    if not stat.S_ISREG(mode) or mode & ~_MODE_BITS:
        return None
    if size > _MAX_CONTENT_BYTES or size > (len(raw) - _BYTES + 1) * MAX_DEFLATE_RATIO:
        return None  # nothing is allocated for a lie
    return PlainFile(raw, size, uid, gid, mode)
