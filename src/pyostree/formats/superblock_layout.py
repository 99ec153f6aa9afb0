"""Splitting superblocks of static deltas into their fields, without copying what they hold.

A superblock may hold a whole system, in parts. It can lie in a file then that is mapped into
memory, and so do the pieces that are cut out of it here. Framing is judged as `decode` does.

Source: the GVariant serialization of tuples, arrays of dictionary entries, and variants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from pyostree.errors import FormatError
from pyostree.formats.framing import offset_width
from pyostree.formats.gvariant import Variant, decode

Buffer: TypeAlias = bytes | memoryview

PART_TYPE = "(yay)"
_PART_END = b"\0" + PART_TYPE.encode()
_ALIGNMENT = 8
_BAD_TUPLE = "GVariant tuple has bad framing offsets"
_BAD_ARRAY = "GVariant array has bad framing offsets"

# Alignment of a member of a tuple and, unless it varies, its size.
Member: TypeAlias = tuple[int, int | None]


def split_tuple(data: Buffer, members: Sequence[Member]) -> list[Buffer]:
    """Return the members of a tuple, of which one at least varies in size.

    Raises:
        FormatError: the offsets do not describe consecutive members.
    """
    width = offset_width(len(data))
    varying = [size for _, size in members[:-1] if size is None]
    body = len(data) - width * len(varying)
    found: list[Buffer] = []
    end, offset = 0, len(data)
    for index, (alignment, size) in enumerate(members):
        start = (end + alignment - 1) & -alignment
        if size is not None:
            end = start + size
        elif index == len(members) - 1:
            end = body
        else:
            offset -= width
            end = int.from_bytes(data[max(offset, 0) : offset + width], "little")
        if not start <= end <= body:
            raise FormatError(_BAD_TUPLE)
        found.append(data[start:end])
    if end != body:
        raise FormatError("GVariant tuple has unused bytes")
    return found


def decode_entries(data: Buffer) -> tuple[tuple[str, Variant], ...]:
    """Return the pairs of an ``a{sv}``; parts of the delta among them are cut out, not copied.

    Raises:
        FormatError: bad framing, or a bad key or value.
    """
    return tuple(_decode_entry(entry) for entry in _split_array(data))


def _decode_entry(entry: Buffer) -> tuple[str, Variant]:
    key, value = split_tuple(entry, ((1, None), (_ALIGNMENT, None)))
    name: str = decode("s", key)
    return name, _decode_variant(value)


def _decode_variant(data: Buffer) -> Variant:
    end = len(data) - len(_PART_END)
    # One byte at least is before the type, and so the payload begins where it should.
    if end > 0 and bytes(data[end:]) == _PART_END:
        return Variant(PART_TYPE, (data[0], data[1:end]))
    found: Variant = decode("v", data)
    return found


def _split_array(data: Buffer) -> Iterator[Buffer]:
    size = len(data)
    if not size:
        return
    width = offset_width(size)
    table = int.from_bytes(data[size - width :], "little")
    if table >= size or (size - table) % width:
        raise FormatError(_BAD_ARRAY)
    end = 0
    for position in range(table, size, width):
        start = (end + _ALIGNMENT - 1) & -_ALIGNMENT
        end = int.from_bytes(data[position : position + width], "little")
        if end > table:
            raise FormatError(_BAD_ARRAY)
        if end < start:
            raise FormatError("GVariant array elements overlap")
        yield data[start:end]
