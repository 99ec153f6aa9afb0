"""What holds for every GVariant value, and for every string of bytes taken for one."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from pyostree.errors import FormatError
from pyostree.formats.gvariant import (
    ByteOrder,
    Just,
    Variant,
    byteswap,
    decode,
    encode,
    format_text,
    is_normal,
    parse_text,
    split_type,
)

INTEGERS = {
    "y": (0, 2**8 - 1), "n": (-(2**15), 2**15 - 1), "q": (0, 2**16 - 1),
    "i": (-(2**31), 2**31 - 1), "u": (0, 2**32 - 1), "h": (-(2**31), 2**31 - 1),
    "x": (-(2**63), 2**63 - 1), "t": (0, 2**64 - 1),
}  # fmt: skip
BASIC = {
    **{kind: st.integers(low, high) for kind, (low, high) in INTEGERS.items()},
    "b": st.booleans(),
    "d": st.floats(allow_nan=False),
    "s": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    "o": st.sampled_from(["/", "/a", "/a/b_1"]),
    "g": st.sampled_from(["", "s", "a{sv}ii"]),
}


def _containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    keys = st.sampled_from(list(BASIC))
    return st.one_of(
        inner.map(lambda element: f"a{element}"),
        inner.map(lambda element: f"m{element}"),
        st.lists(inner, max_size=4).map(lambda members: f"({''.join(members)})"),
        st.tuples(keys, inner).map(lambda pair: f"{{{pair[0]}{pair[1]}}}"),
        st.tuples(keys, inner).map(lambda pair: f"a{{{pair[0]}{pair[1]}}}"),
    )


TYPES = st.recursive(st.sampled_from([*BASIC, "v", "ay"]), _containers, max_leaves=6)
ORDERS: st.SearchStrategy[ByteOrder] = st.sampled_from(["little", "big"])
FORMAT_TYPES = st.sampled_from(
    ["(a{sv}aya(say)sstayay)", "(a(say)a(sayay))", "(uuua(ayay))", "(uuuusa(ayay))", "a{sv}", "v",
     "(a(s(taya{sv}))a{sv})", "aay", "as", "mms", "a(ayu)", "aad"]
)  # fmt: skip


def values(type_text: str) -> st.SearchStrategy[Any]:
    if type_text in BASIC:
        return BASIC[type_text]
    if type_text == "v":
        return st.sampled_from(["s", "u", "ay", "(yt)", "a{sv}"]).flatmap(_variants)
    if type_text == "ay":
        return st.binary(max_size=300)
    inner = split_type(type_text)
    if type_text.startswith("a"):
        return st.lists(values(inner[0]), max_size=5).map(tuple)
    if type_text.startswith("m"):
        return st.one_of(st.none(), values(inner[0]).map(Just))
    return st.tuples(*map(values, inner))


def _variants(type_text: str) -> st.SearchStrategy[Variant]:
    return values(type_text).map(lambda value: Variant(type_text, value))


@st.composite
def typed_values(draw: st.DrawFn) -> Variant:
    type_text = draw(TYPES)
    return Variant(type_text, draw(values(type_text)))


@given(typed_values(), ORDERS)
def test_decode_of_encoded_value_gives_it_back_in_normal_form(
    typed: Variant, order: ByteOrder
) -> None:
    data = encode(typed.type, typed.value, byteorder=order)
    assert decode(typed.type, data, byteorder=order) == typed.value
    assert is_normal(typed.type, data, byteorder=order)


@given(typed_values())
def test_byteswap_twice_changes_nothing(typed: Variant) -> None:
    once = byteswap(typed.type, typed.value)
    # Swapped doubles may be NaN, which is not equal to itself: compare the bytes.
    twice = byteswap(typed.type, once)
    assert encode(typed.type, twice) == encode(typed.type, typed.value)


@given(typed_values())
def test_parse_of_formatted_text_gives_the_value_back(typed: Variant) -> None:
    parsed = parse_text(format_text(typed.type, typed.value))
    assert encode(*parsed) == encode(*typed)
    assert parsed.type == typed.type


@given(st.one_of(FORMAT_TYPES, TYPES), st.binary(max_size=200), ORDERS)
def test_decode_any_bytes_raises_only_format_error(
    type_text: str, data: bytes, order: ByteOrder
) -> None:
    with suppress(FormatError):
        value = decode(type_text, data, byteorder=order)
        format_text(type_text, value)
        assert isinstance(encode(type_text, value, byteorder=order), bytes)


@given(typed_values(), st.data())
def test_decode_damaged_value_raises_only_format_error(typed: Variant, data: st.DataObject) -> None:
    encoded = bytearray(encode(*typed))
    assume(encoded)
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FormatError):
        decode(typed.type, bytes(encoded))


@given(st.text(max_size=30))
def test_decode_any_type_string_raises_only_format_error(type_text: str) -> None:
    with suppress(FormatError):
        decode(type_text, b"\0" * 8)


TOKENS = [
    "'a'", "1", "-2.5", "[", "]", "{", "}", "(", ")", ",", ":", "<", ">", "@i ", "uint32 ", "just ",
    "nothing", "true", "b'x'", "@as ", "'", "\\u00e9", "@", "objectpath ", "'/a'", "{1:2}", "(1,)",
    "\xe9", "\0", "1e999", "0x1p9999", "\ud800",
]  # fmt: skip


@given(st.one_of(st.text(), st.lists(st.sampled_from(TOKENS), max_size=12).map("".join)))
def test_parse_text_any_text_raises_only_format_error(text: str) -> None:
    with suppress(FormatError):
        encode(*parse_text(text))


@given(st.floats())
def test_format_text_any_double_reads_back(value: float) -> None:
    parsed = parse_text(format_text("d", value)).value
    assert parsed == value or (math.isnan(parsed) and math.isnan(value))
