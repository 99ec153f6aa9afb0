"""Lists of refs in summaries, searched where they lie.

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

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.aligned_array import ALIGNMENT, AlignedArray, require
from pyostree.formats.framing import NARROW_BYTES
from pyostree.formats.gvariant import decode, is_normal
from pyostree.formats.objects import Checksum, checksum_from_variant
from pyostree.formats.refspec import check_ref_name, is_ref_name
from pyostree.formats.summary import SummaryRef

_ROW_TYPE = "(s(taya{sv}))"
_ZEROS = tuple(bytes(count) for count in range(ALIGNMENT + 1))
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

    Args:
        data: begins with the list.
        size: of the list; None for all of `data`.

    Raises:
        FormatError: it has no normal form.
    """

    __slots__ = ("_bad_name", "_rows")

    def __init__(self, data: bytes, size: int | None = None) -> None:
        self._rows = AlignedArray(data, len(data) if size is None else size)
        self._bad_name: str | None = None
        for starts, ends in self._rows.chunks():
            names = _check_rows(data, zip(starts, ends, strict=True))
            if self._bad_name is None and not _are_refs(names):
                self._bad_name = _find_bad(names)

    def __len__(self) -> int:
        return len(self._rows)

    def check_names(self) -> None:
        """Raise `InvalidNameError` unless all are refs."""
        if self._bad_name is not None:
            check_ref_name(self._bad_name)

    def find(self, name: str) -> SummaryRef | None:
        """Return a ref by halving, as the reference does; None when it is not where it belongs."""
        wanted = name.encode("utf-8", "surrogateescape") + b"\0"
        rows = self._rows
        position = bisect_left(range(len(rows)), wanted, key=lambda at: _name(rows.element(at)))
        if position == len(rows) or _name(rows.element(position)) != wanted:
            return None
        found, (size, checksum, metadata) = decode(_ROW_TYPE, rows.element(position))
        return SummaryRef(found, size, checksum, metadata)

    def __iter__(self) -> Iterator[IndexedRef]:
        """Yield all refs in file order.

        Raises:
            InvalidNameError: a checksum has not 32 bytes.
        """
        for raw_name, row in self.rows():
            start = (len(raw_name) + 7) & -ALIGNMENT
            name = raw_name[:-1].decode()
            if len(row) <= NARROW_BYTES and row[-2:-1] == _HEAD_END:
                checksum = Checksum(row[start + 8 : start + _HEAD_BYTES])
                yield IndexedRef(name, checksum, int.from_bytes(row[start : start + 8], "little"))
            else:
                _, (size, raw, _) = decode(_ROW_TYPE, row)
                yield IndexedRef(name, checksum_from_variant(raw), size)

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the names, each with a NUL behind it, and the rows as they are stored."""
        for position in range(len(self._rows)):
            row = self._rows.element(position)
            yield _name(row), row


def _name(row: bytes) -> bytes:
    return row[: row.index(0) + 1]


def _are_refs(names: list[bytes]) -> bool:
    """Tell whether ASCII names, each with a NUL behind it, are all refs."""
    classes = b"".join(names).translate(_CLASSES)
    has_bad = b"!" in classes or b"//" in classes or b"/." in classes
    return not has_bad and classes[:1] == b"a"


def _find_bad(names: list[bytes]) -> str | None:
    """Return the first name that is no ref."""
    texts = (name[:-1].decode() for name in names)
    return next((text for text in texts if not is_ref_name(text)), None)


def _check_rows(data: bytes, bounds: Iterable[tuple[int, int]]) -> list[bytes]:
    """Return the names, each with the NUL behind it."""
    names: list[bytes] = []
    versions: list[bytes] = []
    shapes: dict[bytes, _Shape] = {}
    for start, end in bounds:
        row = data[start:end]
        split = row[-1]
        at = (split + 7) & -ALIGNMENT
        rest = row[at + _HEAD_BYTES : -1]
        if (rest[32:] != _PLAIN_END or rest[:24] != _TIMESTAMP) and rest != _HEAD_END:
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
        or last != ((first + 7) & -ALIGNMENT) + _TIMESTAMP_BYTES
        or _HEAD_BYTES + size > NARROW_BYTES
        or ends[-1:] != _HEAD_END
    ):
        return nothing
    middle = _VERSION_END + _ZEROS[-first % ALIGNMENT] + _TIMESTAMP
    return _Shape(size, first - len(_VERSION_END), middle)


def _checked_name(row: bytes) -> bytes:
    """Return the name in a row of any shape, with the NUL behind it."""
    require(is_normal(_ROW_TYPE, row))
    name: str = decode(_ROW_TYPE, row)[0]
    return name.encode() + b"\0"


def _check_strings(strings: list[bytes], *, zeros: int) -> None:
    """Raise `FormatError` unless each is UTF-8, and so many NULs are in all of them."""
    joined = b"".join(strings)
    require(joined.count(0) == zeros)
    if not joined.isascii():
        for string in strings:
            try:
                string.decode()
            except UnicodeDecodeError:
                raise FormatError("Not normal form") from None
