"""Reading serialized GVariants."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, TypeAlias

from pyostree.errors import FormatError
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

ByteOrder: TypeAlias = Literal["little", "big"]

# buffer, start, end, number of containers around -> value
_Decoder: TypeAlias = Callable[[bytes, int, int, int], Value]


def decode(type: str, data: bytes | memoryview, *, byteorder: ByteOrder = "little") -> Value:  # noqa: A002
    """Return the value of type `type` serialized in `data`.

    Framing that GLib would read as default values is an error here. Padding bytes and the width
    of framing offsets are not examined; `is_normal` does that.

    Args:
        byteorder: of numbers; framing offsets are little-endian always.

    Raises:
        FormatError: bad framing, text, boolean or type string; nesting over 128 levels.
    """
    data = bytes(data)
    return _decoder_for(type, byteorder)(data, 0, len(data), 0)


def _decoder_for(type_text: str, byteorder: ByteOrder) -> _Decoder:
    if len(type_text) <= CACHED_TYPE_LENGTH:
        return _cached_decoder(type_text, byteorder)
    return _compile(parse_type(type_text), byteorder)


@lru_cache(maxsize=256)
def _cached_decoder(type_text: str, byteorder: ByteOrder) -> _Decoder:
    return _compile(parse_type(type_text), byteorder)


def _compile(parsed: Type, byteorder: ByteOrder) -> _Decoder:
    match parsed.kind:
        case "b":
            return _decode_boolean
        case "s":
            return _decode_string
        case "o":
            return _decode_object_path
        case "g":
            return _decode_signature
        case "v":
            return _variant_decoder(byteorder)
        case "a":
            return _array_decoder(parsed.members[0], byteorder)
        case "m":
            return _maybe_decoder(parsed.members[0], byteorder)
        case "(" | "{":
            return _tuple_decoder(parsed, byteorder)
        case kind:
            return _number_decoder(kind, byteorder)


def _prefix(byteorder: ByteOrder) -> str:
    return "<" if byteorder == "little" else ">"


def _number_decoder(kind: str, byteorder: ByteOrder) -> _Decoder:
    number = struct.Struct(_prefix(byteorder) + STRUCT_CODES[kind])
    size, unpack_from = number.size, number.unpack_from

    def decode_number(data: bytes, start: int, end: int, depth: int) -> Value:
        if end - start != size:
            raise FormatError(f"GVariant '{kind}' has {end - start} bytes, not {size}")
        return unpack_from(data, start)[0]

    return decode_number


def _decode_boolean(data: bytes, start: int, end: int, depth: int) -> Value:
    if end - start != 1 or data[start] > 1:
        raise FormatError("GVariant boolean is neither 0 nor 1")
    return data[start] == 1


def _decode_string(data: bytes, start: int, end: int, depth: int) -> Value:
    if end <= start or data.find(0, start, end) != end - 1:
        raise FormatError("GVariant string does not end at its only NUL byte")
    try:
        return data[start : end - 1].decode()
    except UnicodeDecodeError as err:
        raise FormatError("GVariant string is not UTF-8") from err


def _decode_object_path(data: bytes, start: int, end: int, depth: int) -> Value:
    text = _decode_string(data, start, end, depth)
    if not is_object_path(text):
        raise FormatError("GVariant object path is invalid")
    return text


def _decode_signature(data: bytes, start: int, end: int, depth: int) -> Value:
    text = _decode_string(data, start, end, depth)
    if not is_signature(text):
        raise FormatError("GVariant signature is invalid")
    return text


def _variant_decoder(byteorder: ByteOrder) -> _Decoder:
    def decode_variant(data: bytes, start: int, end: int, depth: int) -> Value:
        separator = data.rfind(0, start, end)
        if separator < 0:
            raise FormatError("GVariant variant has no type string")
        type_text = data[separator + 1 : end].decode("latin-1")
        # Hostile data nests variants in variants: stop long before Python's own stack does.
        if depth + 1 + parse_type(type_text).depth > MAX_DEPTH:
            raise FormatError("GVariant is nested too deeply")
        value = _decoder_for(type_text, byteorder)(data, start, separator, depth + 1)
        return Variant(type_text, value)

    return decode_variant


def _maybe_decoder(element: Type, byteorder: ByteOrder) -> _Decoder:
    decode_element = _compile(element, byteorder)
    is_variable = element.fixed_size is None

    def decode_maybe(data: bytes, start: int, end: int, depth: int) -> Value:
        if start == end:
            return None
        if is_variable:
            end -= 1
            if data[end] != 0:
                raise FormatError("GVariant maybe does not end with a zero byte")
        return Just(decode_element(data, start, end, depth + 1))

    return decode_maybe


def _array_decoder(element: Type, byteorder: ByteOrder) -> _Decoder:
    if element.kind == "y":
        return lambda data, start, end, depth: data[start:end]
    if element.fixed_size is None:
        return _variable_array_decoder(element, byteorder)
    if element.kind in STRUCT_CODES:
        return _number_array_decoder(element, byteorder)
    size = element.fixed_size
    decode_element = _compile(element, byteorder)

    def decode_fixed_array(data: bytes, start: int, end: int, depth: int) -> Value:
        _check_multiple(end - start, size)
        depth += 1
        return tuple([decode_element(data, at, at + size, depth) for at in range(start, end, size)])

    return decode_fixed_array


def _number_array_decoder(element: Type, byteorder: ByteOrder) -> _Decoder:
    size = element.fixed_size or 1
    prefix, code = _prefix(byteorder), STRUCT_CODES[element.kind]

    def decode_numbers(data: bytes, start: int, end: int, depth: int) -> Value:
        _check_multiple(end - start, size)
        return struct.unpack_from(f"{prefix}{(end - start) // size}{code}", data, start)

    return decode_numbers


def _check_multiple(total: int, size: int) -> None:
    if total % size:
        raise FormatError(f"GVariant array of {total} bytes has elements of {size} bytes")


def _variable_array_decoder(element: Type, byteorder: ByteOrder) -> _Decoder:
    decode_element = _compile(element, byteorder)
    alignment = element.alignment

    def decode_array(data: bytes, start: int, end: int, depth: int) -> Value:
        depth += 1
        element_end = 0
        values = []
        for next_end in _array_ends(data, start, end):
            element_start = (element_end + alignment - 1) & -alignment
            if next_end < element_start:
                raise FormatError("GVariant array elements overlap")
            element_end = next_end
            values.append(decode_element(data, start + element_start, start + element_end, depth))
        return tuple(values)

    return decode_array


def _array_ends(data: bytes, start: int, end: int) -> tuple[int, ...]:
    # The last offset says where the elements end, hence where the offsets start.
    size = end - start
    if size == 0:
        return ()
    width = offset_width(size)
    last_end = int.from_bytes(data[end - width : end], "little")
    count, rest = divmod(size - last_end, width)
    if count <= 0 or rest:
        raise FormatError("GVariant array has bad framing offsets")
    ends = struct.unpack_from(f"<{count}{OFFSET_CODES[width]}", data, start + last_end)
    if max(ends) > last_end:
        raise FormatError("GVariant array has bad framing offsets")
    return ends


def _tuple_decoder(parsed: Type, byteorder: ByteOrder) -> _Decoder:
    last = len(parsed.members) - 1
    plan = [
        (_compile(member, byteorder), member.alignment, member.fixed_size, index == last)
        for index, member in enumerate(parsed.members)
    ]
    offset_count = sum(size is None and not is_last for _, _, size, is_last in plan)
    whole_size = parsed.fixed_size

    def decode_tuple(data: bytes, start: int, end: int, depth: int) -> Value:
        if whole_size is not None and end - start != whole_size:
            raise FormatError(f"GVariant tuple has {end - start} bytes, not {whole_size}")
        width = offset_width(end - start)
        offset_at = end  # first member's offset is the last one
        body_size = end - start - offset_count * width
        depth += 1
        member_end = 0
        values = []
        for decode_member, alignment, size, is_last in plan:
            member_start = (member_end + alignment - 1) & -alignment
            if size is not None:
                member_end = member_start + size
            elif is_last:
                member_end = body_size
            else:
                offset_at -= width
                member_end = int.from_bytes(data[offset_at : offset_at + width], "little")
            if not member_start <= member_end <= body_size:
                raise FormatError("GVariant tuple has bad framing offsets")
            values.append(decode_member(data, start + member_start, start + member_end, depth))
        if whole_size is None and member_end != body_size:
            raise FormatError("GVariant tuple has unused bytes")
        return tuple(values)

    return decode_tuple
