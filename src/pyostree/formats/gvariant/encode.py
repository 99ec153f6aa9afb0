"""Serializing GVariants, in normal form."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from pyostree.formats.gvariant.decode import ByteOrder
from pyostree.formats.gvariant.types import (
    CACHED_TYPE_LENGTH,
    MAX_DEPTH,
    OFFSET_CODES,
    STRUCT_CODES,
    Type,
    is_object_path,
    is_signature,
    offset_width,
    parse_type,
)
from pyostree.formats.gvariant.variant import Just, Value, Variant

# value, number of containers around -> bytes
_Encoder: TypeAlias = Callable[[Value, int], bytes]


def encode(type: str, value: Value, *, byteorder: ByteOrder = "little") -> bytes:  # noqa: A002
    """Return `value` serialized in normal form.

    Args:
        value: as `variant` describes; lists are taken for tuples, and any bytes-like for ``ay``.
        byteorder: of numbers; framing offsets are little-endian always.

    Raises:
        ValueError: `value` does not fit `type`, or nests more than 128 levels.
        FormatError: `type` is not a type string.
    """
    return _encoder_for(type, byteorder)(value, 0)


def _encoder_for(type_text: str, byteorder: ByteOrder) -> _Encoder:
    if len(type_text) <= CACHED_TYPE_LENGTH:
        return _cached_encoder(type_text, byteorder)
    return _compile(parse_type(type_text), byteorder)


@lru_cache(maxsize=256)
def _cached_encoder(type_text: str, byteorder: ByteOrder) -> _Encoder:
    return _compile(parse_type(type_text), byteorder)


def _compile(parsed: Type, byteorder: ByteOrder) -> _Encoder:
    match parsed.kind:
        case "b":
            return _encode_boolean
        case "s":
            return _encode_string
        case "o":
            return _encode_object_path
        case "g":
            return _encode_signature
        case "v":
            return _variant_encoder(byteorder)
        case "a":
            return _array_encoder(parsed.members[0], byteorder)
        case "m":
            return _maybe_encoder(parsed.members[0], byteorder)
        case "(" | "{":
            return _tuple_encoder(parsed, byteorder)
        case kind:
            return _number_encoder(kind, byteorder)


def _wrong(kind: str, value: Value) -> ValueError:
    shown = repr(value)
    if len(shown) > 80:  # noqa: PLR2004
        shown = shown[:80] + "..."
    return ValueError(f"not a value of GVariant type '{kind}': {shown}")


def _number_encoder(kind: str, byteorder: ByteOrder) -> _Encoder:
    pack = struct.Struct(("<" if byteorder == "little" else ">") + STRUCT_CODES[kind]).pack

    def encode_number(value: Value, depth: int) -> bytes:
        try:
            return pack(value)
        except (struct.error, OverflowError) as err:
            raise _wrong(kind, value) from err

    return encode_number


def _encode_boolean(value: Value, depth: int) -> bytes:
    if not isinstance(value, bool):
        raise _wrong("b", value)
    return b"\1" if value else b"\0"


def _encode_string(value: Value, depth: int) -> bytes:
    if not isinstance(value, str) or "\0" in value:
        raise _wrong("s", value)
    return value.encode() + b"\0"  # a lone surrogate makes UnicodeEncodeError, a ValueError


def _encode_object_path(value: Value, depth: int) -> bytes:
    if not isinstance(value, str) or not is_object_path(value):
        raise _wrong("o", value)
    return value.encode() + b"\0"


def _encode_signature(value: Value, depth: int) -> bytes:
    if not isinstance(value, str) or not is_signature(value):
        raise _wrong("g", value)
    return value.encode() + b"\0"


def _variant_encoder(byteorder: ByteOrder) -> _Encoder:
    def encode_variant(value: Value, depth: int) -> bytes:
        if not isinstance(value, Variant):
            raise _wrong("v", value)
        if depth + 1 + parse_type(value.type).depth > MAX_DEPTH:
            raise ValueError("GVariant is nested too deeply")
        body = _encoder_for(value.type, byteorder)(value.value, depth + 1)
        return body + b"\0" + value.type.encode()

    return encode_variant


def _maybe_encoder(element: Type, byteorder: ByteOrder) -> _Encoder:
    encode_element = _compile(element, byteorder)
    terminator = b"\0" if element.fixed_size is None else b""

    def encode_maybe(value: Value, depth: int) -> bytes:
        if value is None:
            return b""
        if not isinstance(value, Just):
            raise _wrong(f"m{element}", value)
        return encode_element(value.value, depth + 1) + terminator

    return encode_maybe


def _array_encoder(element: Type, byteorder: ByteOrder) -> _Encoder:
    if element.kind == "y":
        return _encode_bytes
    encode_element = _compile(element, byteorder)

    def encode_fixed_array(value: Value, depth: int) -> bytes:
        if not isinstance(value, tuple | list):
            raise _wrong(f"a{element}", value)
        return b"".join([encode_element(item, depth + 1) for item in value])

    def encode_variable_array(value: Value, depth: int) -> bytes:
        if not isinstance(value, tuple | list):
            raise _wrong(f"a{element}", value)
        chunks, ends, size = [], [], 0
        for item in value:
            if padding := -size % element.alignment:
                chunks.append(bytes(padding))
                size += padding
            chunk = encode_element(item, depth + 1)
            chunks.append(chunk)
            size += len(chunk)
            ends.append(size)
        chunks.append(_encode_offsets(size, ends))
        return b"".join(chunks)

    return encode_variable_array if element.fixed_size is None else encode_fixed_array


def _encode_bytes(value: Value, depth: int) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _wrong("ay", value)
    return bytes(value)


def _encode_offsets(body_size: int, ends: list[int]) -> bytes:
    # The width depends on the total, which depends on the width: the smallest that fits itself.
    width = next(
        width for width in OFFSET_CODES if offset_width(body_size + width * len(ends)) <= width
    )
    return struct.pack(f"<{len(ends)}{OFFSET_CODES[width]}", *ends)


def _tuple_encoder(parsed: Type, byteorder: ByteOrder) -> _Encoder:
    last = len(parsed.members) - 1
    plan = [
        (_compile(member, byteorder), member.alignment, member.fixed_size is None and index != last)
        for index, member in enumerate(parsed.members)
    ]
    whole_size = parsed.fixed_size

    def encode_tuple(value: Value, depth: int) -> bytes:
        if not isinstance(value, tuple | list) or len(value) != len(plan):
            raise _wrong(str(parsed), value)
        chunks, ends, size = [], [], 0
        for item, (encode_member, alignment, has_offset) in zip(value, plan, strict=True):
            if padding := -size % alignment:
                chunks.append(bytes(padding))
                size += padding
            chunk = encode_member(item, depth + 1)
            chunks.append(chunk)
            size += len(chunk)
            if has_offset:
                ends.append(size)
        if whole_size is not None:
            chunks.append(bytes(whole_size - size))
        ends.reverse()  # last offset first member
        chunks.append(_encode_offsets(size, ends))
        return b"".join(chunks)

    return encode_tuple
