"""Sparse files in tar archives: which parts of a file the archive holds; the rest are zeros.

GNU tar has four ways to write the map: in the header block and further blocks behind it (type
``S``), in records of an extended header (0.0 and 0.1), and as text in front of the content (1.0).
Source: "Storing Sparse Files" of the GNU tar manual.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyostree.formats.archive_member import SIZE_LIMIT, ArchiveError, Buffer
from pyostree.formats.byte_stream import ByteStream
from pyostree.formats.tar_header import BLOCK_BYTES, decode_number
from pyostree.formats.tar_pax import Records, decode_pax_number

_PAIR_BYTES = 24
_HEADER_PAIRS = range(386, 482, _PAIR_BYTES)
_HEADER_MORE = 482
_BLOCK_PAIRS = range(0, 504, _PAIR_BYTES)
_BLOCK_MORE = 504
_REAL_SIZE = slice(483, 495)
_MAX_EXTENTS = 1 << 20
_MAX_NUMBER_DIGITS = 20
_ZEROS = bytes(1 << 20)


class SparseMap(NamedTuple):
    """Size of the whole file, and the stored extents (offset, size) in order."""

    size: int
    extents: tuple[tuple[int, int], ...]


def old_gnu_map(block: bytes, stream: ByteStream) -> SparseMap:
    """Return the map of a header of type ``S``, reading the blocks that continue it.

    Raises:
        ArchiveError: truncated, or the extents make no sense.
    """
    numbers = _block_pairs(block, _HEADER_PAIRS)
    more = block[_HEADER_MORE]
    while more:
        extension = bytes(stream.take(BLOCK_BYTES))
        if len(extension) < BLOCK_BYTES:
            raise ArchiveError("Truncated tar archive")
        numbers += _block_pairs(extension, _BLOCK_PAIRS)
        more = extension[_BLOCK_MORE]
        _check_count(len(numbers))
    return _checked(decode_number(block[_REAL_SIZE]), numbers)


def _block_pairs(block: bytes, starts: Iterable[int]) -> list[int]:
    numbers = []
    for start in starts:
        if not block[start]:
            break
        numbers.append(decode_number(block[start : start + 12]))
        numbers.append(decode_number(block[start + 12 : start + _PAIR_BYTES]))
    return numbers


def pax_map(records: Records) -> SparseMap | None:
    """Return the map of an extended header of the versions 0.0 and 0.1, None without one.

    Raises:
        ArchiveError: the extents make no sense.
    """
    size: int | None = None
    numbers: list[int] = []
    for key, value in records:
        if key == b"GNU.sparse.size":
            size = decode_pax_number(value)
        elif key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            numbers.append(decode_pax_number(value))
        elif key == b"GNU.sparse.map" and value:
            numbers = [decode_pax_number(number) for number in value.split(b",")]
    _check_count(len(numbers))
    return None if size is None else _checked(size, numbers)


def text_map(size: int, stream: ByteStream) -> tuple[SparseMap, int]:
    """Return the map in front of the content (version 1.0), and how many bytes it took.

    Raises:
        ArchiveError: truncated, or the extents make no sense.
    """
    reader = _TextNumbers(stream)
    count = reader.next()
    _check_count(2 * count)
    numbers = [reader.next() for _ in range(2 * count)]
    return _checked(size, numbers), reader.used_bytes


class _TextNumbers:
    """Decimal numbers, each on a line, in blocks of 512 bytes."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._data = b""
        self.used_bytes = 0

    def next(self) -> int:
        line, newline, rest = self._data.partition(b"\n")
        while not newline:
            block = bytes(self._stream.take(BLOCK_BYTES))
            self.used_bytes += len(block)
            if len(block) < BLOCK_BYTES or len(self._data) > _MAX_NUMBER_DIGITS:
                raise ArchiveError("Truncated tar archive")
            self._data += block
            line, newline, rest = self._data.partition(b"\n")
        self._data = rest
        number = decode_pax_number(line)
        if number < 0:
            raise ArchiveError("Damaged tar archive")
        return number


def _check_count(numbers: int) -> None:
    if numbers > 2 * _MAX_EXTENTS:
        raise ArchiveError("Damaged tar archive (too many parts of a sparse file)")


def _checked(size: int, numbers: list[int]) -> SparseMap:
    if len(numbers) % 2:
        raise ArchiveError("Damaged tar archive (sparse file)")
    extents = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    end = 0
    for offset, length in extents:
        if length < 0 or offset < end:
            raise ArchiveError("Damaged tar archive (sparse file)")
        end = offset + length
    if end > size or size >= SIZE_LIMIT:
        raise ArchiveError("Damaged tar archive (sparse file)")
    return SparseMap(size, extents)


def expand(sparse: SparseMap, stream: ByteStream) -> Iterator[Buffer]:
    """Yield the whole file; stops early when the stream ends."""
    position = 0
    for offset, length in sparse.extents:
        yield from _zeros(offset - position)
        position = offset
        for piece in stream.pieces(length):
            position += len(piece)
            yield piece
        if position < offset + length:
            return
    yield from _zeros(sparse.size - position)


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        step = min(count, len(_ZEROS))
        yield _ZEROS if step == len(_ZEROS) else _ZEROS[:step]
        count -= step
