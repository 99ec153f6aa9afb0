"""Framing offsets of GVariant containers, for the straight-line codecs of the object formats.

Source: the GVariant serialization; offsets are little-endian and as wide as the whole container needs.
"""

from __future__ import annotations

from pyostree.errors import FormatError


def offset_width(size: int) -> int:
    """Return the width in bytes of the offsets in a container of `size` bytes."""
    if size <= 0xFF:
        return 1
    if size <= 0xFFFF:
        return 2
    return 4 if size <= 0xFFFFFFFF else 8


def with_offsets(body: bytes, ends: list[int]) -> bytes:
    """Return `body` followed by the framing offsets `ends`, in the order given."""
    count = len(ends)
    for width in (1, 2, 4, 8):
        if len(body) + count * width <= (1 << (8 * width)) - 1:
            break
    if width == 1:
        return body + bytes(ends)
    return body + b"".join(end.to_bytes(width, "little") for end in ends)


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
    ends = []
    total = 0
    for element in elements:
        total += len(element)
        ends.append(total)
    return with_offsets(b"".join(elements), ends) if elements else b""


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
