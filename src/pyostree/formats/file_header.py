"""Headers of content objects: owner, mode, symlink target and xattrs of a file or symlink.

Three layouts hold the same fields (integers big-endian):

* the *hashed header* ``(uuuusa(ayay))``: the stream that starts with it names the object;
* the *archive header* ``(tuuuusa(ayay))`` at the start of a ``.filez``: the size comes first;
* the *bare-user metadata* ``(uuua(ayay))`` in the xattr ``user.ostreemeta``.

The first two follow a prefix of eight bytes: the header's length and padding. Source: "Content
objects" of the object model.
"""

from __future__ import annotations

import hashlib
import stat
import struct
from collections.abc import Iterable
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.framing import decode_text, offset_width, with_offsets
from pyostree.formats.objects import Checksum
from pyostree.formats.xattrs import Xattrs, check_xattrs, decode_xattrs, encode_xattrs

PREFIX_BYTES = 8
# Bounds what is read into memory for a header; Linux limits the list of xattr names and each
# value to 64 KiB, so that real headers stay far below.
MAX_HEADER_BYTES = 64 << 20

# Fixed fields, an empty target with its NUL, and one offset.
_HASHED_MIN_BYTES = 18
_ARCHIVE_MIN_BYTES = 26
_META = struct.Struct(">III")


class FileHeader(NamedTuple):
    """What a content object says beside its bytes.

    Attributes:
        mode: with the file-type bits.
        target: of a symbolic link, else empty.
        xattrs: sorted by name.
    """

    uid: int
    gid: int
    mode: int
    target: str = ""
    xattrs: Xattrs = ()

    @property
    def is_symlink(self) -> bool:
        """Whether the object is a symbolic link."""
        return stat.S_ISLNK(self.mode)


def encode_header(header: FileHeader) -> bytes:
    """Return prefix and hashed header: the stream up to the file's own bytes.

    Raises:
        FormatError: the symlink target is not UTF-8.
    """
    uid, gid, mode, target, xattrs = header
    if not target and not xattrs:
        return b"\0\0\0\x12\0\0\0\0" + _META.pack(uid, gid, mode) + b"\0\0\0\0\0\x11"
    body = _META.pack(uid, gid, mode) + b"\0\0\0\0" + _encode_target(target)
    variant = with_offsets(body + encode_xattrs(xattrs), [len(body)])
    return len(variant).to_bytes(4, "big") + b"\0\0\0\0" + variant


def content_checksum(
    header: FileHeader, chunks: Iterable[bytes | bytearray | memoryview] = ()
) -> Checksum:
    """Return the name of the content object with this header and the bytes in `chunks`.

    Raises:
        FormatError: the symlink target is not UTF-8.
    """
    digest = hashlib.sha256(encode_header(header))
    for chunk in chunks:
        digest.update(chunk)
    return Checksum(digest.digest())


def encode_archive_header(header: FileHeader, size: int) -> bytes:
    """Return prefix and archive header of a ``.filez`` with `size` bytes of content."""
    uid, gid, mode, target, xattrs = header
    body = struct.pack(">QIIII", size, uid, gid, mode, 0) + _encode_target(target)
    variant = with_offsets(body + encode_xattrs(xattrs), [len(body)])
    return len(variant).to_bytes(4, "big") + b"\0\0\0\0" + variant


def _encode_target(target: str) -> bytes:
    try:
        return target.encode("utf-8") + b"\0"
    except UnicodeEncodeError:
        raise FormatError(f"Invalid UTF-8 in symlink target {target!r}") from None


def archive_header_length(prefix: bytes, available: int) -> int:
    """Return the length of the archive header that follows `prefix`.

    Args:
        prefix: the first eight bytes, or fewer when the file is shorter.
        available: size of the whole file.

    Raises:
        FormatError: zero, or more than the file holds.
    """
    if len(prefix) < PREFIX_BYTES:
        raise FormatError("File header size is zero")
    length = int.from_bytes(prefix[:4], "big")
    if length == 0:
        raise FormatError("File header size is zero")
    if length > available or length > MAX_HEADER_BYTES:
        raise FormatError(f"File header size {length} exceeds size {available}")
    return length


def decode_archive_header(variant: bytes) -> tuple[FileHeader, int]:
    """Return header and content size from an archive header (without its prefix).

    Raises:
        FormatError: broken framing, a device number, or a mode that is neither file nor symlink.
    """
    if len(variant) < _ARCHIVE_MIN_BYTES:
        raise FormatError("Not normal form: file header is too short")
    size, uid, gid, mode, rdev = struct.unpack_from(">QIIII", variant)
    target, xattrs = _decode_tail(variant, 24)
    if rdev != 0:
        raise FormatError(f"Corrupted archive file; invalid rdev {rdev}")
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise FormatError(f"Corrupted archive file; invalid mode {mode}")
    return FileHeader(uid, gid, mode, target, xattrs), size


def decode_header(variant: bytes) -> FileHeader:
    """Return the fields of a hashed header (without its prefix), as static deltas carry it.

    Raises:
        FormatError: see `decode_archive_header`.
    """
    if len(variant) < _HASHED_MIN_BYTES:
        raise FormatError("Not normal form: file header is too short")
    uid, gid, mode, rdev = struct.unpack_from(">IIII", variant)
    target, xattrs = _decode_tail(variant, 16)
    if rdev != 0:
        raise FormatError(f"Corrupted archive file; invalid rdev {rdev}")
    check_file_mode(mode)
    return FileHeader(uid, gid, mode, target, xattrs)


def _decode_tail(variant: bytes, start: int) -> tuple[str, Xattrs]:
    size = len(variant)
    width = offset_width(size)
    body_end = size - width
    target_end = int.from_bytes(variant[body_end:], "little")
    if target_end == start + 1 == body_end and variant[start] == 0:  # by far the most common
        return "", ()
    if not start < target_end <= body_end:
        raise FormatError("Not normal form: bad file header offset")
    xattrs = decode_xattrs(variant[target_end:body_end])
    # Old versions stored what the source gave; the checksum is always over the sorted form.
    return decode_text(variant[start:target_end]), tuple(sorted(xattrs))


def encode_bare_user_meta(header: FileHeader) -> bytes:
    """Return the value of ``user.ostreemeta`` for a content object in mode bare-user."""
    return _META.pack(header.uid, header.gid, header.mode) + encode_xattrs(header.xattrs)


def decode_bare_user_meta(data: bytes) -> FileHeader:
    """Return owner, mode and xattrs from ``user.ostreemeta``; the target is left empty.

    Raises:
        FormatError: too short, or broken xattrs.
    """
    if len(data) < _META.size:
        raise FormatError("Not normal form: user.ostreemeta is too short")
    uid, gid, mode = _META.unpack_from(data)
    xattrs = tuple(sorted(decode_xattrs(data[_META.size :])))
    return FileHeader(uid, gid, mode, "", xattrs)


def check_file_mode(mode: int) -> None:
    """Raise `FormatError` unless `mode` is that of a regular file or symlink."""
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise FormatError(f"Invalid file metadata mode {mode}; not a valid file type")
    if mode & ~(stat.S_IFMT(mode) | 0o7777):
        raise FormatError(f"Invalid mode {mode}; invalid bits in mode")


def check_header(header: FileHeader) -> None:
    """Raise `FormatError` unless mode and xattrs of a content object are valid."""
    check_file_mode(header.mode)
    check_xattrs(header.xattrs)
