"""Entries of the commit metadata ``ostree.sizes``: how large the objects of a commit are.

An entry is 32 bytes of checksum, two varints (size as stored in an archive, size unpacked) and one
byte of object type, which old commits lack. A varint has seven bits per byte, the lowest first; the
high bit says that another follows.
"""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.objects import CHECKSUM_BYTES, Checksum, ObjectName, ObjectType
from pyostree.formats.varint import decode_varint, encode_varint

SIZES_KEY = "ostree.sizes"
SIZES_TYPE = "aay"


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
    try:
        archived, position = decode_varint(entry, CHECKSUM_BYTES)
        unpacked, position = decode_varint(entry, position)
    except FormatError:
        raise FormatError("Unexpected EOF reading ostree.sizes varint") from None
    kind = ObjectType.FILE
    if position < len(entry):
        try:
            kind = ObjectType(entry[position])
        except ValueError:
            raise FormatError(f"Unexpected ostree.sizes object type {entry[position]}") from None
    return ObjectSize(ObjectName(checksum, kind), archived, unpacked)
