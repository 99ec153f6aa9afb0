"""Framing offsets of GVariant containers, for the straight-line codecs of the object formats.

Source: the GVariant serialization; offsets are little-endian, as wide as the container needs.
"""

from __future__ import annotations

import struct
from itertools import accumulate

from pyostree.errors import FormatError

# Containers up to this size have offsets of one byte: nearly all of them.
NARROW_BYTES = (1 << 8) - 1
_WIDTH_LIMITS = ((1, (1 << 8) - 1), (2, (1 << 16) - 1), (4, (1 << 32) - 1), (8, (1 << 64) - 1))
_STRUCT_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def offset_width(size: int) -> int:
    """Return the width in bytes of the offsets in a container of `size` bytes."""
    if size <= NARROW_BYTES:
        return 1
    return next(width for width, limit in _WIDTH_LIMITS if size <= limit)


def with_offsets(body: bytes, ends: list[int]) -> bytes:
    """Return `body` followed by the framing offsets `ends`, in the order given."""
    count = len(ends)
    size = len(body)
    if size + count <= NARROW_BYTES:
        return body + bytes(ends)
    width = next(w for w, limit in _WIDTH_LIMITS if size + count * w <= limit)
    return body + struct.pack(f"<{count}{_STRUCT_CODES[width]}", *ends)


def split_array(data: bytes) -> list[bytes]:
    """Return the elements of an array of variable-size, unaligned elements.

    Raises:
        FormatError: the offsets do not describe consecutive elements.
    """
    size = len(data)
    if size == 0:
        return []
    width = offset_width(size)
    table = int.from_bytes(data[size - width :], "little")
    if table > size or (size - table) % width or table == size:
        raise FormatError("Not normal form: bad array offsets")
    elements = []
    start = 0
    for position in range(table, size, width):
        end = int.from_bytes(data[position : position + width], "little")
        if not start <= end <= table:
            raise FormatError("Not normal form: bad array offset")
        elements.append(data[start:end])
        start = end
    return elements


def join_array(elements: list[bytes]) -> bytes:
    """Return the array of variable-size, unaligned `elements`."""
    if not elements:
        return b""
    return with_offsets(b"".join(elements), list(accumulate(map(len, elements))))


def decode_text(raw: bytes) -> str:
    """Return the string in `raw`, which ends in its only NUL.

    Raises:
        FormatError: no NUL at the end, one inside, or not UTF-8.
    """
    if raw[-1:] != b"\0" or b"\0" in raw[:-1]:
        raise FormatError("Not normal form: bad string")
    try:
        return raw[:-1].decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("Not normal form: string is not UTF-8") from None
