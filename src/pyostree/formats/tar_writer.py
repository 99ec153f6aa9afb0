"""Writing tar archives in GNU's format, byte for byte as libarchive does.

Names and link targets of more than 100 bytes stand in members of their own in front (types ``L``
and ``K``), numbers that need more digits than there are in binary. Source: "Basic Tar Format" of
the GNU tar manual.
"""

from __future__ import annotations

from typing import NamedTuple

from pyostree.formats.tar_header import BLOCK_BYTES

RECORD_BYTES = 10240
# Kinds of members.
FILE = b"0"
HARD_LINK = b"1"
SYMLINK = b"2"
DIRECTORY = b"5"
END_OF_ARCHIVE = bytes(2 * BLOCK_BYTES)

_NAME_BYTES = 100
_ID_DIGITS = 7
_SIZE_DIGITS = 11
_MAX_MTIME = 8**_SIZE_DIGITS - 1
_LONG_LINK = b"././@LongLink"
_MAGIC = b"ustar  \0"
_OWNERS = bytes(64)
_LONG_LINK_OWNERS = b"root".ljust(32, b"\0") + b"wheel".ljust(32, b"\0")
_DEVICE_AND_REST = bytes(183)
_BLANKS_SUM = 8 * 0x20  # what the checksum counts its own field as


class TarEntry(NamedTuple):
    """A member to be written.

    Attributes:
        path: of a directory with a slash at the end.
        mode: only its permission bits are written.
        size: bytes of content that follow, padded to full blocks.
        target: of a hard link or symbolic link.
    """

    path: bytes
    kind: bytes
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    target: bytes = b""


def encode_tar_entry(entry: TarEntry) -> bytes:
    """Return all that stands in front of a member's content."""
    header = _encode_header(entry)
    path, target = entry.path, entry.target
    if len(path) <= _NAME_BYTES and len(target) <= _NAME_BYTES:
        return header
    parts = []
    if len(target) > _NAME_BYTES:
        parts.append(_encode_long(b"K", target, target))
    if len(path) > _NAME_BYTES:
        parts.append(_encode_long(b"L", path, target))
    return b"".join((*parts, header))


def padding(size: int) -> bytes:
    """Return what follows `size` bytes of content up to the next block."""
    return bytes(-size % BLOCK_BYTES)


def _encode_long(kind: bytes, text: bytes, target: bytes) -> bytes:
    body = text + b"\0"
    header = _encode_header(TarEntry(_LONG_LINK, kind, size=len(body), target=target))
    return header + body + padding(len(body))


def _encode_header(entry: TarEntry) -> bytes:
    before = b"".join(
        (
            entry.path[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"),
            b"%07o\0" % (entry.mode & 0o7777),
            _number(entry.uid, _ID_DIGITS),
            _number(entry.gid, _ID_DIGITS),
            _number(entry.size, _SIZE_DIGITS),
            b"%011o\0" % min(max(entry.mtime, 0), _MAX_MTIME),
        )
    )
    after, after_sum = _PLAIN_ENDS.get(entry.kind, (b"", 0))
    if entry.target or entry.path is _LONG_LINK or not after:
        after = _end(entry.kind, entry.target, is_long=entry.path is _LONG_LINK)
        after_sum = sum(after)
    total = sum(before) + after_sum + _BLANKS_SUM
    return b"%b%06o\0 %b" % (before, total, after)


def _end(kind: bytes, target: bytes, *, is_long: bool = False) -> bytes:
    """Return what follows the checksum."""
    owners = _LONG_LINK_OWNERS if is_long else _OWNERS
    name = target[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0")
    return b"".join((kind, name, _MAGIC, owners, _DEVICE_AND_REST))


# Of members without target, by kind, with the sum of the bytes.
_PLAIN_ENDS = {kind: (_end(kind, b""), sum(_end(kind, b""))) for kind in (FILE, DIRECTORY)}


def _number(value: int, digits: int) -> bytes:
    if value < 8**digits:
        return b"%0*o\0" % (digits, value)
    return b"\x80" + value.to_bytes(digits, "big")
