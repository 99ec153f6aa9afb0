"""Summaries searched where they lie, without making records of tens of thousands of refs.

`SummaryIndex` is for those who want one ref of somebody else's summary: all of it is checked, but
only what is asked for is decoded.

A row is ``(s(taya{sv}))``. Nearly all have a timestamp and perhaps a version, are so short that
offsets have one byte, and are checked without the general codec (``N``: bytes of the version)::

    name \\0, zeros to a multiple of 8
    size (8 bytes), checksum (32)
    [ ostree.commit.version \\0 0 0, version \\0, 0 s 16, zeros to a multiple of 8 ]
    [ ostree.commit.timestamp \\0, timestamp (8 bytes), 0 t 18 ]
    [ end of the first pair: 28 + N ] [ end of the last pair ], end of the checksum: 28,
    end of the name

Source: the GVariant serialization of the type; compared with the general codec in the tests.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from operator import lt
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.framing import NARROW_BYTES, decode_text, offset_width
from pyostree.formats.gvariant import Variant, decode, is_normal
from pyostree.formats.objects import Checksum, checksum_from_variant
from pyostree.formats.refspec import check_collection_id, check_ref_name
from pyostree.formats.summary import COLLECTION_ID, COLLECTION_MAP, COLLECTION_MAP_TYPE, SummaryRef

_ROW_TYPE = "(s(taya{sv}))"
_ALIGNMENT = 8
_ZEROS = tuple(bytes(count) for count in range(_ALIGNMENT + 1))
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_HEAD_BYTES = 40  # size and checksum
_TIMESTAMP = b"ostree.commit.timestamp\0"
_TIMESTAMP_END = b"\0t\x18"  # value and type of the pair, and where its key ends
_TIMESTAMP_BYTES = len(_TIMESTAMP) + 8 + len(_TIMESTAMP_END)
_HEAD_END = b"\x28"
_VERSION = b"ostree.commit.version\0\0\0"
_VERSION_END = b"\0\0s\x16"
_VERSION_BYTES = len(_VERSION) + len(_VERSION_END)  # without the text itself
_PLAIN_END = _TIMESTAMP_END + bytes([_TIMESTAMP_BYTES]) + _HEAD_END
_PLAIN_BYTES = len(_TIMESTAMP) + 8 + len(_PLAIN_END)
# What a byte is in a ref: slash or end, word character, one that may not come first, any other.
_CLASSES = bytes(
    0x2F if char in b"\0/" else
    0x61 if char in b"_" or (chr(char).isalnum() and char < 0x80) else  # noqa: PLR2004
    0x2E if char in b"-." else 0x21
    for char in range(256)
)  # fmt: skip


class IndexedRef(NamedTuple):
    """A ref with its commit and the bytes of that object."""

    name: str
    checksum: Checksum
    size: int


class RefTable:
    """One list of refs, ``a(s(taya{sv}))``, sorted by name.

    Raises:
        FormatError: it has no normal form.
    """

    __slots__ = ("_data", "_ends", "_names", "_starts")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._starts, self._ends = _array_bounds(data)
        self._names = _check_rows(data, zip(self._starts, self._ends, strict=True))

    def __len__(self) -> int:
        return len(self._ends)

    def check_names(self) -> None:
        """Raise `InvalidNameError` unless all are refs."""
        joined = b"".join(self._names)  # each with a NUL behind it
        classes = joined.translate(_CLASSES)
        is_fine = b"!" not in classes and b"//" not in classes and b"/." not in classes
        if not is_fine or classes[:1] in (b"/", b"."):
            for name in self._names:
                check_ref_name(name[:-1].decode())

    def find(self, name: str) -> SummaryRef | None:
        """Return a ref by halving, as the reference does; None when it is not where it belongs."""
        wanted = name.encode("utf-8", "surrogateescape") + b"\0"
        position = bisect_left(self._names, wanted)
        if position == len(self._names) or self._names[position] != wanted:
            return None
        found, (size, checksum, metadata) = decode(_ROW_TYPE, self._row(position))
        return SummaryRef(found, size, checksum, metadata)

    def __iter__(self) -> Iterator[IndexedRef]:
        """Yield all refs in file order.

        Raises:
            InvalidNameError: a checksum has not 32 bytes.
        """
        for position, raw_name in enumerate(self._names):
            row = self._row(position)
            start = (len(raw_name) + 7) & -_ALIGNMENT
            name = raw_name[:-1].decode()
            if len(row) <= NARROW_BYTES and row[-2:-1] == _HEAD_END:
                checksum = Checksum(row[start + 8 : start + _HEAD_BYTES])
                yield IndexedRef(name, checksum, int.from_bytes(row[start : start + 8], "little"))
            else:
                _, (size, raw, _) = decode(_ROW_TYPE, row)
                yield IndexedRef(name, checksum_from_variant(raw), size)

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the names, each with a NUL behind it, and the rows as they are stored."""
        for position, name in enumerate(self._names):
            yield name, self._row(position)

    def _row(self, position: int) -> bytes:
        return self._data[self._starts[position] : self._ends[position]]


class SummaryIndex:
    """A summary that has been checked.

    Attributes:
        refs: its main list.
        collection_id: the collection of that; None when not given.

    Raises:
        FormatError: it has no normal form.
    """

    def __init__(self, data: bytes) -> None:
        refs, metadata = _split_pair(data)
        self.refs = RefTable(refs)
        self._values = _split_dictionary(metadata)
        self._others = self._read_others()
        for key, value in self._values:
            if key != COLLECTION_MAP or self._others is None:
                _require(is_normal("v", value))
        self.collection_id = self.lookup_str(COLLECTION_ID)

    def check_names(self) -> None:
        """Raise `InvalidNameError` unless all names are refs, and collections have good IDs."""
        for collection_id, refs in self.collections():
            if collection_id is not None:
                check_collection_id(collection_id)
            refs.check_names()

    def keys(self) -> list[str]:
        """Return the keys of the metadata in stored order."""
        return [key for key, _ in self._values]

    def lookup(self, key: str) -> Variant | None:
        """Return the first metadata value of that key."""
        for found, value in self._values:
            if found == key:
                variant: Variant = decode("v", value)
                return variant
        return None

    def lookup_str(self, key: str) -> str | None:
        """Return a metadata value that is a string; None when absent or of another type."""
        found = self.lookup(key)
        return found.value if found is not None and found.type == "s" else None

    def lookup_bool(self, key: str) -> bool:
        """Return a metadata value that is a boolean; False when absent or of another type."""
        found = self.lookup(key)
        return bool(found.value) if found is not None and found.type == "b" else False

    def find(self, name: str, collection_id: str | None = None) -> SummaryRef | None:
        """Return a ref of the main list, or of the given collection; None when absent."""
        if collection_id is None or collection_id == self.collection_id:
            return self.refs.find(name)
        for listed_id, refs in self._others or ():
            if listed_id == collection_id:
                return refs.find(name)
        return None

    def collections(self) -> Iterator[tuple[str | None, RefTable]]:
        """Yield the main list with its collection, None if it has none; then the others."""
        yield self.collection_id, self.refs
        yield from self._others or ()

    def _read_others(self) -> list[tuple[str, RefTable]] | None:
        """Return the lists of other collections; None when nothing of that type is there."""
        end = b"\0" + COLLECTION_MAP_TYPE.encode()
        for key, value in self._values:
            if key == COLLECTION_MAP:
                if not value.endswith(end):
                    return None
                pairs = _split_dictionary(value.removesuffix(end))
                return [(collection_id, RefTable(refs)) for collection_id, refs in pairs]
        return None


def _array_bounds(data: bytes) -> tuple[list[int], list[int]]:
    """Return where the elements of an array, aligned to 8, begin and end.

    Raises:
        FormatError: the offsets, or the padding, have no normal form.
    """
    size = len(data)
    if size == 0:
        return [], []
    width = offset_width(size)
    table = int.from_bytes(data[size - width :], "little")
    _require(table < size and (size - table) % width == 0)
    ends = list(struct.unpack(f"<{(size - table) // width}{_CODES[width]}", data[table:]))
    _require(_is_narrowest(width, table, len(ends)))
    starts = [0, *[(end + 7) & -_ALIGNMENT for end in ends[:-1]]]
    _require(all(map(lt, starts, ends)))
    padding = b"".join([data[end:start] for end, start in zip(ends, starts[1:], strict=False)])
    _require(not any(padding))
    return starts, ends


def _is_narrowest(width: int, body: int, count: int) -> bool:
    half = width // 2
    return half == 0 or offset_width(body + count * half) > half


def _split_pair(data: bytes) -> tuple[bytes, bytes]:
    """Return the two arrays that a summary consists of."""
    _require(bool(data))
    width = offset_width(len(data))
    body = len(data) - width
    end = int.from_bytes(data[body:], "little")
    start = (end + 7) & -_ALIGNMENT
    _require(start <= body and _is_narrowest(width, body, 1) and not any(data[end:start]))
    return data[:end], data[start:body]


def _split_dictionary(data: bytes) -> list[tuple[str, bytes]]:
    """Return the pairs of a dictionary with strings as keys and values aligned to 8."""
    pairs = []
    for start, end in zip(*_array_bounds(data), strict=True):
        entry = data[start:end]
        width = offset_width(len(entry))
        body = len(entry) - width
        split = int.from_bytes(entry[body:], "little")
        at = (split + 7) & -_ALIGNMENT
        _require(at <= body and _is_narrowest(width, body, 1) and not any(entry[split:at]))
        pairs.append((decode_text(entry[:split]), entry[at:body]))
    return pairs


def _check_rows(data: bytes, bounds: Iterable[tuple[int, int]]) -> list[bytes]:
    """Return the names, each with the NUL behind it."""
    names: list[bytes] = []
    versions: list[bytes] = []
    shapes: dict[bytes, _Shape] = {}
    for start, end in bounds:
        row = data[start:end]
        split = row[-1]
        at = (split + 7) & -_ALIGNMENT
        rest = row[at + _HEAD_BYTES : -1]
        if rest[32:] != _PLAIN_END or rest[:24] != _TIMESTAMP:
            ends = rest[-6:]
            if (shape := shapes.get(ends)) is None:
                shape = shapes[ends] = _shape(ends)
            size, text_end, middle = shape
            if len(rest) != size or rest[text_end:-14] != middle or rest[:24] != _VERSION:
                names.append(_checked_name(row))
                continue
            versions.append(rest[24:text_end])
        if len(row) > NARROW_BYTES:
            names.append(_checked_name(row))
        elif row[split - 1 : at] != _ZEROS[at - split + 1]:
            raise FormatError("Not normal form")
        else:
            names.append(row[:split])
    _check_strings(names, zeros=len(names))
    _check_strings(versions, zeros=0)
    return names


class _Shape(NamedTuple):
    """What a row with a version is like behind its checksum; `size` is -1 for an impossible one."""

    size: int
    text_end: int
    middle: bytes


def _shape(ends: bytes) -> _Shape:
    """Return the shape of a row whose last bytes but one are `ends`."""
    nothing = _Shape(-1, 0, b"")
    if len(ends) != len(_TIMESTAMP_END) + 3 or not ends.startswith(_TIMESTAMP_END):
        return nothing
    first, last = ends[-3], ends[-2]
    size = last + 3  # offsets: of both pairs, and of the checksum
    if (
        first < _VERSION_BYTES
        or last != ((first + 7) & -_ALIGNMENT) + _TIMESTAMP_BYTES
        or _HEAD_BYTES + size > NARROW_BYTES
        or ends[-1:] != _HEAD_END
    ):
        return nothing
    middle = _VERSION_END + _ZEROS[-first % _ALIGNMENT] + _TIMESTAMP
    return _Shape(size, first - len(_VERSION_END), middle)


def _checked_name(row: bytes) -> bytes:
    """Return the name in a row of any shape, with the NUL behind it."""
    _require(is_normal(_ROW_TYPE, row))
    name: str = decode(_ROW_TYPE, row)[0]
    return name.encode() + b"\0"


def _check_strings(strings: list[bytes], *, zeros: int) -> None:
    """Raise `FormatError` unless each is UTF-8, and so many NULs are in all of them."""
    joined = b"".join(strings)
    _require(joined.count(0) == zeros)
    if not joined.isascii():
        for string in strings:
            try:
                string.decode()
            except UnicodeDecodeError:
                raise FormatError("Not normal form") from None


def _require(is_normal_form: bool) -> None:
    if not is_normal_form:
        raise FormatError("Not normal form")
