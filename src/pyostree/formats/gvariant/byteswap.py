"""Reversing the byte order of every number in a value."""

from __future__ import annotations

import struct

from pyostree.formats.gvariant.types import Type, parse_type
from pyostree.formats.gvariant.variant import Just, Value, Variant

_SWAPS = {
    kind: (struct.Struct("<" + code), struct.Struct(">" + code))
    for kind, code in zip("nqiuhxtd", "hHiIiqQd", strict=True)
}


def byteswap(type: str, value: Value) -> Value:  # noqa: A002
    """Return `value` with all its numbers swapped, also those inside variants.

    Bytes, booleans and text stay.
    """
    return _swap(parse_type(type), value)


def _swap(parsed: Type, value: Value) -> Value:
    match parsed.kind:
        case "v":
            return Variant(value.type, byteswap(value.type, value.value))
        case "a" if parsed.members[0].kind == "y":
            return value
        case "a":
            return tuple([_swap(parsed.members[0], item) for item in value])
        case "(" | "{":
            pairs = zip(parsed.members, value, strict=True)
            return tuple([_swap(member, item) for member, item in pairs])
        case "m":
            return None if value is None else Just(_swap(parsed.members[0], value.value))
        case kind if kind in _SWAPS:
            little, big = _SWAPS[kind]
            return big.unpack(little.pack(value))[0]
        case _:
            return value
