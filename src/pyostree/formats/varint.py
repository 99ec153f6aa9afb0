"""Varints: unsigned numbers in seven bits per byte, the lowest first; the high bit says "more"."""

from __future__ import annotations

from pyostree.errors import FormatError

_MORE = 0x80
_LOW_BITS = 0x7F
_MAX_BYTES = 10
_U64_MAX = (1 << 64) - 1


def encode_varint(value: int) -> bytes:
    """Return an unsigned number below 2**64 in its shortest form."""
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
    for index, byte in enumerate(data[start : start + _MAX_BYTES]):
        value |= (byte & _LOW_BITS) << (7 * index)
        if not byte & _MORE:
            if value > _U64_MAX:
                break
            return value, start + index + 1
    raise FormatError("Unexpected EOF reading varint")
