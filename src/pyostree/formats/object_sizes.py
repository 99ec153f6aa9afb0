"""Entries of the commit metadata ``ostree.sizes``: how large the objects of a commit are.

An entry is 32 bytes of checksum, two varints (size as stored in an archive, size unpacked) and one
byte of object type, which old commits lack. A varint has seven bits per byte, the lowest first; the
high bit says that another follows.
"""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.objects import CHECKSUM_BYTES, Checksum, ObjectName, ObjectType

SIZES_KEY = "ostree.sizes"
SIZES_TYPE = "aay"
_MORE = 0x80
_LOW_BITS = 0x7F
_MAX_VARINT_BYTES = 10
_U64_MAX = (1 << 64) - 1


class ObjectSize(NamedTuple):
    """One object with its size in bytes as stored in an archive, and unpacked."""

    name: ObjectName
    archived: int
    unpacked: int


def encode_object_size(size: ObjectSize) -> bytes:
    """Return the bytes of one entry."""
    sizes = encode_varint(size.archived) + encode_varint(size.unpacked)
    return bytes(size.name.checksum) + sizes + bytes([size.name.type])


def decode_object_size(entry: bytes) -> ObjectSize:
    """Return what one entry says; without a type it is a file's.

    Raises:
        FormatError: too short, or an unknown object type.
    """
    if len(entry) < CHECKSUM_BYTES:
        raise FormatError("Could not read ostree.sizes metadata entry")
    checksum = Checksum(entry[:CHECKSUM_BYTES])
    archived, position = decode_varint(entry, CHECKSUM_BYTES)
    unpacked, position = decode_varint(entry, position)
    kind = ObjectType.FILE
    if position < len(entry):
        try:
            kind = ObjectType(entry[position])
        except ValueError:
            raise FormatError(f"Unexpected ostree.sizes object type {entry[position]}") from None
    return ObjectSize(ObjectName(checksum, kind), archived, unpacked)


def encode_varint(value: int) -> bytes:
    """Return an unsigned number below 2**64 as a varint."""
    if not 0 <= value <= _U64_MAX:
        raise ValueError(f"{value} does not fit 64 bits")
    encoded = bytearray()
    while value > _LOW_BITS:
        encoded.append((value & _LOW_BITS) | _MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def decode_varint(data: bytes, start: int) -> tuple[int, int]:
    """Return the number that begins at `start` and the position behind it.

    Raises:
        FormatError: the data ends before the number does, or it does not fit 64 bits.
    """
    value = 0
    for index, byte in enumerate(data[start : start + _MAX_VARINT_BYTES]):
        value |= (byte & _LOW_BITS) << (7 * index)
        if not byte & _MORE:
            if value > _U64_MAX:
                break
            return value, start + index + 1
    raise FormatError("Unexpected EOF reading ostree.sizes varint")
