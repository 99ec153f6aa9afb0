"""Arrays of elements of any size that begin at multiples of 8, read where they lie.

Dictionaries and lists of refs are such arrays: elements with zeros between them, and behind them
the table of where each ends. Only what is asked for becomes objects, so that a hostile array costs
no more memory than its bytes.

Source: the GVariant serialization.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from operator import lt

from pyostree.errors import FormatError
from pyostree.formats.framing import offset_width

ALIGNMENT = 8
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_CHUNK = 4096


class AlignedArray:
    """Where the elements of an array are.

    Args:
        data: holds the array; its elements are aligned from its beginning on.
        size: of the array.

    Raises:
        FormatError: its table has no normal form.
    """

    __slots__ = ("_data", "_ends")

    def __init__(self, data: bytes | memoryview, size: int) -> None:
        self._data = data
        self._ends = array("B")
        if size == 0:
            return
        width = offset_width(size)
        table = int.from_bytes(data[size - width : size], "little")
        require(table < size and (size - table) % width == 0)
        self._ends = array(_CODES[width], bytes(data[table:size]))
        if sys.byteorder == "big":
            self._ends.byteswap()
        require(is_narrowest(width, table, len(self._ends)))

    def __len__(self) -> int:
        return len(self._ends)

    def element(self, position: int) -> bytes:
        """Return the bytes of an element, once `chunks` has been through all of them."""
        start = (self._ends[position - 1] + 7) & -ALIGNMENT if position else 0
        return bytes(self._data[start : self._ends[position]])

    def chunks(self) -> Iterator[tuple[list[int], list[int]]]:
        """Yield where elements begin and end, some thousand at a time.

        Raises:
            FormatError: they overlap, are empty, or something is between them.
        """
        data, begin, count = self._data, 0, len(self._ends)
        for position in range(0, count, _CHUNK):
            ends = self._ends[position : position + _CHUNK].tolist()
            starts = [(end + 7) & -ALIGNMENT for end in ends]
            starts.insert(0, begin)
            begin = starts.pop()
            require(all(map(lt, starts, ends)))
            gaps = [data[end:start] for end, start in zip(ends, starts[1:], strict=False)]
            if position + _CHUNK < count:
                gaps.append(data[ends[-1] : begin])
            require(not any(b"".join(gaps)))
            yield starts, ends


def split_dictionary(
    data: memoryview, *, max_pairs: int = sys.maxsize
) -> Iterator[tuple[str, memoryview]]:
    """Yield the pairs of a dictionary with strings as keys and values aligned to 8.

    Raises:
        FormatError: its own framing has no normal form (values are not looked at), or it has more
            pairs than `max_pairs`.
    """
    pairs = AlignedArray(data, len(data))
    if len(pairs) > max_pairs:
        raise FormatError(f"A dictionary with more than {max_pairs} keys")
    for starts, ends in pairs.chunks():
        for start, end in zip(starts, ends, strict=True):
            entry = data[start:end]
            width = offset_width(len(entry))
            body = len(entry) - width
            split = int.from_bytes(entry[body:], "little")
            at = (split + 7) & -ALIGNMENT
            require(at <= body and is_narrowest(width, body, 1) and not any(entry[split:at]))
            yield _text(bytes(entry[:split])), entry[at:body]


def _text(raw: bytes) -> str:
    require(raw[-1:] == b"\0" and raw.count(0) == 1)
    try:
        return raw[:-1].decode()
    except UnicodeDecodeError:
        raise FormatError("Not normal form") from None


def is_narrowest(width: int, body: int, count: int) -> bool:
    """Tell whether `count` offsets of a container with `body` other bytes need that width."""
    half = width // 2
    return half == 0 or offset_width(body + count * half) > half


def require(is_normal_form: bool) -> None:
    """Raise `FormatError` unless something is as serializing it would make it."""
    if not is_normal_form:
        raise FormatError("Not normal form")
