"""Superblocks of static deltas, ``(a{sv}tayay(a{sv}aya(say)sstayay)aya(uayttay)a(yaytt))``.

The head of a delta: the commit it leads to, the parts with the objects that each of them produces,
and the objects to fetch whole (*fallbacks*). Sizes are in the byte order of the machine that made
the delta, as a key of the metadata tells; the time is big-endian always.

Signed ones (`pyostree.formats.delta_signed`) wrap such a file.

Source: "Superblock" of the static delta format, compared with files of the reference.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.commit import COMMIT_TYPE
from pyostree.formats.gvariant import ByteOrder, Variant, decode, encode, lookup
from pyostree.formats.objects import (
    CHECKSUM_BYTES,
    Checksum,
    ObjectName,
    ObjectType,
    checksum_from_variant,
)
from pyostree.formats.superblock_layout import PART_TYPE, Buffer, decode_entries, split_tuple

_PARTS_TYPE = "a(uayttay)"
_FALLBACKS_TYPE = "a(yaytt)"
SUPERBLOCK_TYPE = f"(a{{sv}}tayay{COMMIT_TYPE}ay{_PARTS_TYPE}{_FALLBACKS_TYPE})"
_MEMBERS = (
    (8, None), (8, 8), (1, None), (1, None), (8, None), (1, None), (8, None), (8, None),
)  # fmt: skip
ENDIANNESS = "ostree.endianness"
MAX_PART_VERSION = 0

_MARKS: dict[int, ByteOrder] = {ord("l"): "little", ord("B"): "big"}
_OBJECT_BYTES = 1 + CHECKSUM_BYTES
_PAIR_BYTES = 2 * CHECKSUM_BYTES
_PART_OBJECT_TYPES = (ObjectType.FILE, ObjectType.DIRTREE, ObjectType.DIRMETA, ObjectType.COMMIT)
_MAX_RATIO = 1.2
_U32_MAX = (1 << 32) - 1
_CHUNK_BYTES = 1 << 20

Metadata = tuple[tuple[str, Variant], ...]


class Endianness(Enum):
    """Byte order of the sizes in a superblock, in the words of ``static-delta show``."""

    LITTLE = "little"
    BIG = "big"
    LITTLE_GUESSED = "little (heuristic)"
    BIG_GUESSED = "big (heuristic)"
    INVALID = "invalid"

    @property
    def byteorder(self) -> ByteOrder:
        """The byte order; where nothing says one, that of this machine."""
        if self is Endianness.INVALID:
            return sys.byteorder
        return "little" if self in (Endianness.LITTLE, Endianness.LITTLE_GUESSED) else "big"


class PartHeader(NamedTuple):
    """What the superblock says about one part.

    Attributes:
        raw_checksum: SHA-256 of the part's file.
        size: of that file in bytes.
        usize: sum of the sizes of the objects, of files without their headers.
        raw_objects: see `decode_objects`.
    """

    version: int
    raw_checksum: bytes
    size: int
    usize: int
    raw_objects: bytes

    @property
    def object_count(self) -> int:
        """How many objects the part produces."""
        return len(self.raw_objects) // _OBJECT_BYTES


class Fallback(NamedTuple):
    """An object that is not in the delta.

    Attributes:
        raw_type: number of the object type.
        size: of the loose object as the server stores it.
        usize: of its content.
    """

    raw_type: int
    raw_checksum: bytes
    size: int
    usize: int


class InlinePart(NamedTuple):
    """The file of a part within a superblock, which it may be only a view of."""

    compression: int
    payload: Buffer

    def chunks(self) -> Iterator[Buffer]:
        """Yield the bytes of the file."""
        yield bytes([self.compression])
        for start in range(0, len(self.payload), _CHUNK_BYTES):
            yield self.payload[start : start + _CHUNK_BYTES]


class Superblock(NamedTuple):
    """A decoded superblock.

    Attributes:
        timestamp: seconds since 1970 UTC.
        source: commit from which the delta leads; None for a delta from nothing.
        commit: bytes of the commit object `target`.
        parents: commits between which other deltas lead that this one needs; always empty today.
    """

    metadata: Metadata
    timestamp: int
    source: Checksum | None
    target: Checksum
    commit: bytes
    parts: tuple[PartHeader, ...]
    fallbacks: tuple[Fallback, ...]
    endianness: Endianness
    parents: tuple[tuple[Checksum, Checksum], ...] = ()

    def inline_part(self, path: str) -> InlinePart | None:
        """Return a part file that the superblock itself holds, or None.

        Args:
            path: the part's path, relative to the repository.
        """
        found = lookup(self.metadata, path)
        if found is None or found.type != PART_TYPE:
            return None
        return InlinePart(*found.value)


def decode_superblock(data: Buffer) -> Superblock:
    """Return the fields of an unsigned superblock.

    Args:
        data: of a memoryview, parts that it holds remain views.

    Raises:
        FormatError: broken framing.
        InvalidNameError: a commit's checksum has not 32 bytes.
    """
    raw = split_tuple(data, _MEMBERS)
    metadata = decode_entries(raw[0])
    source, target, commit, parents = map(bytes, raw[2:6])
    decode(COMMIT_TYPE, commit)
    parts, fallbacks = decode(_PARTS_TYPE, raw[6]), decode(_FALLBACKS_TYPE, raw[7])
    endianness = _read_mark(metadata) or _guess(parts)
    swap = _swapped if endianness.byteorder == "big" else _as_is
    return Superblock(
        metadata=metadata,
        timestamp=int.from_bytes(raw[1], "big"),
        source=checksum_from_variant(source) if source else None,
        target=checksum_from_variant(target),
        commit=commit,
        parts=tuple(
            PartHeader(swap(version, 4), checksum, swap(size, 8), swap(usize, 8), objects)
            for version, checksum, size, usize, objects in parts
        ),
        fallbacks=tuple(
            Fallback(kind, checksum, swap(size, 8), swap(usize, 8))
            for kind, checksum, size, usize in fallbacks
        ),
        endianness=endianness,
        parents=_decode_parents(parents),
    )


def encode_superblock(superblock: Superblock) -> bytes:
    """Return the bytes of an unsigned superblock; sizes in the order that `endianness` says."""
    swap = _swapped if superblock.endianness.byteorder == "big" else _as_is
    return encode(
        SUPERBLOCK_TYPE,
        (
            superblock.metadata,
            _swapped(superblock.timestamp, 8),
            bytes(superblock.source or b""),
            bytes(superblock.target),
            decode(COMMIT_TYPE, superblock.commit),
            b"".join(one for pair in superblock.parents for one in pair),
            tuple(
                (
                    swap(part.version, 4),
                    part.raw_checksum,
                    swap(part.size, 8),
                    swap(part.usize, 8),
                    part.raw_objects,
                )
                for part in superblock.parts
            ),
            tuple(
                (one.raw_type, one.raw_checksum, swap(one.size, 8), swap(one.usize, 8))
                for one in superblock.fallbacks
            ),
        ),
    )


def endianness_mark(byteorder: ByteOrder) -> tuple[str, Variant]:
    """Return the metadata that tells the byte order of the sizes."""
    return ENDIANNESS, Variant("y", ord("l") if byteorder == "little" else ord("B"))


def decode_objects(raw: bytes) -> tuple[ObjectName, ...]:
    """Return the objects that a part produces, in their order.

    Raises:
        FormatError: not a multiple of 33 bytes, or an object type that no part may hold.
    """
    if len(raw) % _OBJECT_BYTES:
        raise FormatError(f"Invalid checksum array length {len(raw)}")
    objects = []
    for start in range(0, len(raw), _OBJECT_BYTES):
        kind = raw[start]
        if kind not in _PART_OBJECT_TYPES:
            raise FormatError(f"Invalid object type '{kind}'")
        checksum = Checksum(raw[start + 1 : start + _OBJECT_BYTES])
        objects.append(ObjectName(checksum, ObjectType(kind)))
    return tuple(objects)


def encode_objects(objects: Iterable[ObjectName]) -> bytes:
    """Return the list of objects in a part header."""
    return b"".join(bytes([name.type]) + name.checksum for name in objects)


def check_part_version(part: PartHeader) -> None:
    """Raise `FormatError` for a part of a later version of the format."""
    if part.version > MAX_PART_VERSION:
        raise FormatError(f"Delta part has too new version {part.version}")


def _decode_parents(raw: bytes) -> tuple[tuple[Checksum, Checksum], ...]:
    if len(raw) % _PAIR_BYTES:
        raise FormatError(f"Invalid checksum array length {len(raw)}")
    pairs = []
    for start in range(0, len(raw), _PAIR_BYTES):
        middle = start + CHECKSUM_BYTES
        pairs.append((Checksum(raw[start:middle]), Checksum(raw[middle : start + _PAIR_BYTES])))
    return tuple(pairs)


def _read_mark(metadata: Metadata) -> Endianness | None:
    mark = lookup(metadata, ENDIANNESS)
    if mark is None or mark.type != "y":
        return None
    order = _MARKS.get(mark.value)
    return Endianness.INVALID if order is None else Endianness(order)


def _guess(parts: Iterable[tuple[int, bytes, int, int, bytes]]) -> Endianness:
    # Read in the wrong order, sizes look absurd. Tiny deltas look absurd in the right one, too:
    # the reference guesses the same, and all its newer versions write a mark.
    host_is_little = sys.byteorder == "little"
    other = Endianness.BIG_GUESSED if host_is_little else Endianness.LITTLE_GUESSED
    count = total = 0
    for _, _, raw_size, raw_usize, objects in parts:
        size = raw_size if host_is_little else _swapped(raw_size, 8)
        usize = raw_usize if host_is_little else _swapped(raw_usize, 8)
        count += len(objects) // _OBJECT_BYTES
        total += size
        if usize and size > usize and size / usize > _MAX_RATIO:
            return other
    if count and total // count > _U32_MAX:
        return other
    return Endianness.INVALID


def _swapped(number: int, width: int) -> int:
    return int.from_bytes(number.to_bytes(width, "little"), "big")


def _as_is(number: int, _width: int) -> int:
    return number
