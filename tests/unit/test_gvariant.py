"""Layout rules of GVariant one by one, and GLib's answers recorded in gvariant_golden.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyostree.errors import FormatError
from pyostree.formats.gvariant import (
    Just,
    Variant,
    byteswap,
    check_normal,
    check_type_string,
    decode,
    encode,
    format_text,
    is_normal,
    is_type_string,
    lookup,
    parse_text,
    split_type,
)

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "data" / "gvariant_golden.json").read_text(encoding="utf-8")
)


@pytest.fixture(params=GOLDEN["values"], ids=lambda case: case["type"])
def golden_value(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


def test_encode_value_that_glib_wrote_gives_the_same_bytes(golden_value: dict[str, Any]) -> None:
    data = bytes.fromhex(golden_value["hex"])
    assert encode(golden_value["type"], decode(golden_value["type"], data)) == data
    check_normal(golden_value["type"], data)


def test_format_text_value_that_glib_wrote_prints_alike(golden_value: dict[str, Any]) -> None:
    type_text = golden_value["type"]
    value = decode(type_text, bytes.fromhex(golden_value["hex"]))
    assert format_text(type_text, value) == golden_value["text"]
    assert format_text(type_text, value, annotate=False) == golden_value["plain"]


def test_parse_text_of_what_glib_printed_gives_its_bytes(golden_value: dict[str, Any]) -> None:
    parsed = parse_text(golden_value["text"])
    assert parsed.type == golden_value["type"]
    assert encode(*parsed) == bytes.fromhex(golden_value["hex"])


def test_byteswap_value_that_glib_swapped_gives_its_bytes(golden_value: dict[str, Any]) -> None:
    type_text = golden_value["type"]
    value = decode(type_text, bytes.fromhex(golden_value["hex"]))
    assert encode(type_text, byteswap(type_text, value)).hex() == golden_value["swapped"]


@pytest.mark.parametrize("case", GOLDEN["damaged"], ids=lambda case: case["type"])
def test_is_normal_damaged_bytes_agrees_with_glib(case: dict[str, Any]) -> None:
    assert is_normal(case["type"], bytes.fromhex(case["hex"])) == case["normal"]


@pytest.mark.parametrize("case", GOLDEN["texts"], ids=lambda case: case["text"][:30])
def test_parse_text_any_text_has_glibs_value_or_error(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(FormatError) as caught:
            parse_text(case["text"])
        assert str(caught.value) == case["error"]
    else:
        parsed = parse_text(case["text"])
        assert (parsed.type, encode(*parsed).hex()) == (case["type"], case["hex"])


@pytest.mark.parametrize(
    ("type_text", "value", "hexadecimal"),
    [
        ("u", 0x01020304, "04030201"),
        ("b", True, "01"),
        ("s", "ab", "616200"),
        ("ay", b"\x01\x02", "0102"),
        ("aq", (1, 2), "01000200"),
        ("as", ("a", "bc"), "6100 626300 02 05"),
        ("as", (), ""),
        ("ms", None, ""),
        ("ms", Just("a"), "610000"),
        ("mu", Just(1), "01000000"),
        ("()", (), "00"),
        ("(yu)", (1, 2), "01000000 02000000"),
        ("(uy)", (2, 1), "02000000 01000000"),
        ("(sy)", ("a", 5), "6100 05 02"),
        ("(ssy)", ("a", "b", 5), "6100 6200 05 04 02"),
        ("(ys)", (5, "a"), "05 6100"),
        ("v", Variant("u", 1), "01000000 00 75"),
        ("a{sv}", (("k", Variant("b", True)),), "6b00 000000000000 01 00 62 02 0c"),
        ("at", (1, 2), "0100000000000000 0200000000000000"),
        ("aat", ((), (1,)), "0100000000000000 00 08"),
    ],
)
def test_encode_small_value_follows_the_layout_rules(
    type_text: str, value: object, hexadecimal: str
) -> None:
    data = bytes.fromhex(hexadecimal)
    assert encode(type_text, value) == data
    assert decode(type_text, data) == value


@pytest.mark.parametrize(("body_size", "offset_size"), [(254, 1), (255, 2), (65533, 2), (65534, 4)])
def test_encode_container_near_a_limit_takes_the_smallest_offsets(
    body_size: int, offset_size: int
) -> None:
    data = encode("as", ("x" * (body_size - 1),))
    assert len(data) == body_size + offset_size
    assert decode("as", data) == ("x" * (body_size - 1),)


def test_encode_big_endian_swaps_numbers_and_keeps_offsets() -> None:
    value = ("x" * 300, 0x0102)
    data = encode("(sq)", value, byteorder="big")
    assert data[302:304] == b"\x01\x02"
    assert data[304:] == (301).to_bytes(2, "little")
    assert decode("(sq)", data, byteorder="big") == value


def test_decode_memoryview_gives_bytes() -> None:
    assert decode("(ayay)", memoryview(b"ab\x01")) == (b"a", b"b")


@pytest.mark.parametrize(
    ("type_text", "data"),
    [
        ("u", b"123"),
        ("b", b"\x02"),
        ("s", b""),
        ("s", b"a"),
        ("s", b"a\0b\0"),
        ("s", b"\xff\0"),
        ("s", b"\xed\xa0\x80\0"),
        ("o", b"a\0"),
        ("g", b"zz\0"),
        ("aq", b"123"),
        ("as", b"\x05"),
        ("as", b"a\0\x03"),
        ("as", b"a\0b\0\x04\x02"),
        ("aas", b"\x00\x00\x00\xff"),
        ("ms", b"a\0\x01"),
        ("mu", b"123"),
        ("(yu)", b"1234567"),
        ("(ss)", b""),
        ("(ss)", b"a\0b\0\x07"),
        ("(sy)", b"a\0\x05\x05\x02"),
        ("v", b""),
        ("v", b"no type"),
        ("v", b"\x01\0z"),
        ("v", b"\x01\0y" + b"y"),
        ("v", b"\0" + b"a" * 128 + b"y"),
        ("v", b"\x01\0y" + b"\0v" * 128),
    ],
)
def test_decode_malformed_bytes_raises_format_error(type_text: str, data: bytes) -> None:
    with pytest.raises(FormatError):
        decode(type_text, data)
    assert not is_normal(type_text, data)


@pytest.mark.parametrize(
    ("type_text", "data"),
    [
        ("(yu)", b"\x01\x01\0\0\x02\0\0\0"),
        ("(uy)", b"\x02\0\0\0\x01\0\0\x01"),
        ("()", b"\x01"),
        ("a{sv}", bytes.fromhex("6b00 000000000001 01 00 62 02 0c")),
    ],
    ids=["inner padding", "end padding", "empty tuple", "entry padding"],
)
def test_decode_nonzero_padding_reads_but_is_not_normal(type_text: str, data: bytes) -> None:
    decode(type_text, data)
    with pytest.raises(FormatError, match=r"^Not normal form$"):
        check_normal(type_text, data)


def test_decode_variants_127_deep_reads_and_deeper_raises() -> None:
    deepest = Variant("y", 1)
    for _ in range(127):
        deepest = Variant("v", deepest)
    data = encode("v", deepest)
    assert decode("v", data) == deepest
    with pytest.raises(FormatError, match="nested too deeply"):
        decode("v", data + b"\0v")
    with pytest.raises(ValueError, match="nested too deeply"):
        encode("v", Variant("v", deepest))


@pytest.mark.parametrize(
    ("type_text", "value"),
    [
        ("y", 256),
        ("y", -1),
        ("u", "1"),
        ("t", 2**64),
        ("u", 1.5),
        ("d", "x"),
        ("b", 1),
        ("s", b"a"),
        ("s", "a\0"),
        ("s", "\ud800"),
        ("o", "a"),
        ("o", "/a/"),
        ("g", "z"),
        ("ay", "a"),
        ("ay", (1, 2)),
        ("as", "ab"),
        ("as", None),
        ("aq", 5),
        ("(ss)", ("a",)),
        ("(ss)", "ab"),
        ("{sv}", ("a",)),
        ("mu", 5),
        ("v", 5),
        ("v", ("u", 5)),
    ],
)
def test_encode_wrong_value_raises_value_error(type_text: str, value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        encode(type_text, value)


@pytest.mark.parametrize(
    "text", ["y", "a{sv}", "(a(say)a(sayay))", "()", "{sv}", "mmi", "a" * 128 + "y"]
)
def test_check_type_string_complete_type_passes(text: str) -> None:
    check_type_string(text)
    assert is_type_string(text)


@pytest.mark.parametrize(
    "text",
    ["", "z", "yy", "a", "(", "(y", "y)", "{vs}", "{s}", "{sss}", "{}", "*", "a*", "r", "\xe9",
     "a" * 129 + "y", "(" * 5000, "{(s)s}", "a{ss", "a\0y"],
)  # fmt: skip
def test_check_type_string_anything_else_raises(text: str) -> None:
    assert not is_type_string(text)
    with pytest.raises(FormatError):
        check_type_string(text)


def test_decode_variant_with_giant_type_string_raises() -> None:
    with pytest.raises(FormatError, match="has 1000002 characters"):
        decode("v", b"\0" + b"(" + b"y" * 1_000_000 + b")")


def test_split_type_container_gives_what_is_inside() -> None:
    assert split_type("(a{sv}ayu)") == ("a{sv}", "ay", "u")
    assert split_type("{sv}") == ("s", "v")
    assert split_type("aay") == ("ay",)
    assert split_type("s") == ()


def test_lookup_duplicate_key_gives_the_first() -> None:
    pairs = (("a", Variant("u", 1)), ("b", Variant("u", 2)), ("a", Variant("u", 3)))
    assert lookup(pairs, "a") == Variant("u", 1)
    assert lookup(pairs, "c") is None


def test_byteswap_variant_swaps_inside_and_leaves_bytes() -> None:
    value = (("n", Variant("u", 5)), ("b", Variant("ay", b"\1\2")))
    assert byteswap("a{sv}", value) == (
        ("n", Variant("u", 83886080)),
        ("b", Variant("ay", b"\1\2")),
    )


@pytest.mark.parametrize("text", ["'\\ud800'", "'\\U00110000'"])
def test_parse_text_escape_that_is_no_character_raises(text: str) -> None:
    # GLib gives no value and no error here.
    with pytest.raises(FormatError, match=r"-character unicode escape$"):
        parse_text(text)


def test_parse_text_very_long_number_is_too_big() -> None:
    with pytest.raises(FormatError, match="integer too big for any type"):
        parse_text("1" * 10000)
