"""The checksum of an archived object, computed with as little interpreter work as possible.

A check of a repository spends its time here: most objects are small, so that the number of calls
per object counts as much as the speed of inflating. The usual object, without xattrs and no
symlink, has a header of fixed layout; anything else goes the general way.
"""

from __future__ import annotations

import hashlib
import stat
import struct
import zlib

from pyostree.errors import FormatError
from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import Checksum
from pyostree.fs.file import InputFile
from pyostree.repo.store.plain_file import MAX_DEFLATE_RATIO

# The length word and padding of an archive header of 26 bytes: no target, no xattrs.
_PLAIN_PREFIX = b"\0\0\0\x1a\0\0\0\0"
_PLAIN_SUFFIX = b"\0\0\0\0\0\x19"  # device number, empty target, framing offset
_PLAIN_BYTES = 34
_HASHED_PREFIX = b"\0\0\0\x12\0\0\0\0"
_HASHED_SUFFIX = b"\0\0\0\0\0\x11"
_READ_BYTES = 128 << 10
_FIELDS = struct.Struct(">QIII")
# libdeflate needs input and output in memory as a whole.
_IN_MEMORY_BYTES = 16 << 20
# Below this zlib is faster than setting up libdeflate's tables.
_TINY_BYTES = 2048


def hash_plain(file: InputFile) -> tuple[FileHeader, Checksum] | None:
    """Return header and real checksum of an archived regular file without xattrs.

    Args:
        file: the ``.filez``, from its beginning.

    Returns:
        None for an object that is not of this kind, or too large.

    Raises:
        FormatError: the compressed data is damaged, or not of the size that the header promises.
    """
    start = file.read(_READ_BYTES)
    if start[:8] != _PLAIN_PREFIX or start[28:_PLAIN_BYTES] != _PLAIN_SUFFIX:
        return None
    size, uid, gid, mode = _FIELDS.unpack_from(start, 8)
    if size > _IN_MEMORY_BYTES or not stat.S_ISREG(mode):
        return None
    packed = start[_PLAIN_BYTES:]
    if len(start) == _READ_BYTES:
        rest = file.read_exactly(_IN_MEMORY_BYTES)
        if len(rest) == _IN_MEMORY_BYTES:
            return None
        packed += rest
    digest = hashlib.sha256(_HASHED_PREFIX + start[16:28] + _HASHED_SUFFIX)
    digest.update(inflate_whole(packed, size))
    return FileHeader(uid, gid, mode), Checksum(digest.digest())


def inflate_whole(packed: bytes, size: int) -> bytes | bytearray:
    """Return the `size` bytes that `packed` holds, all in memory (errors as `hash_plain`)."""
    if size > (len(packed) + 1) * MAX_DEFLATE_RATIO:  # nothing is allocated for a lie
        raise FormatError("Need more input")
    if size < _TINY_BYTES:
        return _inflate_tiny(packed, size)
    from deflate import DeflateError, deflate_decompress

    try:
        data = deflate_decompress(packed, size)
    except DeflateError as err:
        raise FormatError("Invalid compressed data") from err
    if len(data) != size:
        raise FormatError(f"Unexpected EOF with {size - len(data)}/{size} bytes remaining")
    return data


def _inflate_tiny(packed: bytes, size: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(packed, size + 1)
    except zlib.error as err:
        raise FormatError("Invalid compressed data") from err
    if len(data) > size:
        raise FormatError(f"Invalid compressed data: more than {size} bytes")
    if not inflater.eof:
        raise FormatError("Need more input")
    if len(data) < size:
        raise FormatError(f"Unexpected EOF with {size - len(data)}/{size} bytes remaining")
    return data
