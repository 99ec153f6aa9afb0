"""Payloads of static delta parts, ``(a(uuu)aa(ayay)ayay)``: what operations put together.

Owners and modes (big-endian), lists of xattrs, a blob of bytes, the operations. A part file is one
byte that names the compression, followed by the payload.

Source: "Delta part payload" of the static delta format.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.framing import join_array, offset_width, split_array
from pyostree.formats.xattrs import Xattrs, decode_xattrs, encode_xattrs

UNCOMPRESSED = 0
XZ = ord("x")

_MODE = struct.Struct(">III")
_OFFSETS = 3


class FileMode(NamedTuple):
    """Owner and mode (with file-type bits) of a file."""

    uid: int
    gid: int
    mode: int


class PartPayload(NamedTuple):
    """A decoded payload; `blob` is a view of the buffer that was decoded."""

    modes: tuple[FileMode, ...]
    xattrs: tuple[Xattrs, ...]
    blob: memoryview
    operations: bytes


def check_compression(kind: int) -> None:
    """Raise `FormatError` unless the first byte of a part file names a known compression."""
    if kind not in (UNCOMPRESSED, XZ):
        raise FormatError(f"Invalid compression type '{kind}'")


def decode_payload(data: memoryview) -> PartPayload:
    """Return the fields of a payload, without copying the blob.

    Raises:
        FormatError: broken framing, or a broken list of xattrs.
    """
    width = offset_width(len(data))
    body_end = len(data) - _OFFSETS * width
    if body_end < 0:
        raise FormatError("Not normal form: static delta part is too short")
    ends = [
        int.from_bytes(data[at : at + width], "little")
        for at in range(len(data) - width, body_end - 1, -width)
    ]
    if not 0 <= ends[0] <= ends[1] <= ends[2] <= body_end:
        raise FormatError("Not normal form: bad offsets in static delta part")
    modes, xattrs, blob = data[: ends[0]], data[ends[0] : ends[1]], data[ends[1] : ends[2]]
    if len(modes) % _MODE.size:
        raise FormatError("Not normal form: bad modes in static delta part")
    return PartPayload(
        tuple(FileMode._make(fields) for fields in _MODE.iter_unpack(modes)),
        tuple(decode_xattrs(one) for one in split_array(bytes(xattrs))),
        blob,
        bytes(data[ends[2] : body_end]),
    )


def encode_payload(
    modes: Sequence[FileMode],
    xattrs: Sequence[Xattrs],
    blob: bytes | bytearray,
    operations: bytes | bytearray,
) -> bytes:
    """Return the bytes of a payload."""
    first = b"".join(_MODE.pack(*mode) for mode in modes)
    second = join_array([encode_xattrs(one) for one in xattrs])
    ends = [len(first)]
    ends.append(ends[-1] + len(second))
    ends.append(ends[-1] + len(blob))
    size = ends[-1] + len(operations)
    width = next(w for w in (1, 2, 4, 8) if size + _OFFSETS * w < 1 << (8 * w))
    offsets = b"".join(end.to_bytes(width, "little") for end in reversed(ends))
    return b"".join((first, second, blob, operations, offsets))
