"""Dictionaries that carry signatures: what counts in them, and what they may cost."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.errors import FormatError
from pyostree.formats.commit import decode_metadata, encode_metadata
from pyostree.formats.gvariant import Variant, lookup
from pyostree.sign.detached import decode_signatures, signatures_under, with_signature
from pyostree.sign.engine import all_engines
from pyostree.sign.gpg.result import METADATA_KEY

KEYS = (METADATA_KEY, *(engine.metadata_key for engine in all_engines()))
ED25519 = "ostree.sign.ed25519"

LISTS = st.lists(st.binary(max_size=80), max_size=4).map(lambda v: Variant("aay", tuple(v)))
OTHERS = st.sampled_from(
    [
        Variant("s", "x"),
        Variant("ay", b"\0aay"),
        Variant("as", ("x",)),
        Variant("v", Variant("aay", (b"x",))),
        Variant("u", 7),
        Variant("a{sv}", ()),
    ]
)
PAIRS = st.lists(st.tuples(st.sampled_from((*KEYS, "k", "ostree.sign.x")), LISTS | OTHERS))


@given(PAIRS)
def test_lists_are_those_that_the_general_codec_finds(pairs: list[tuple[str, Variant]]) -> None:
    data = encode_metadata(pairs)
    for key in KEYS:
        assert signatures_under(decode_signatures(data), key) == signatures_under(
            decode_metadata(data), key
        )


@given(st.binary(max_size=200))
def test_any_bytes_are_a_dictionary_or_sign_nothing(data: bytes) -> None:
    check_against_general(data)


@given(PAIRS, st.data())
def test_damaged_dictionaries_give_what_everybody_else_reads_in_them(
    pairs: list[tuple[str, Variant]], data: st.DataObject
) -> None:
    content = bytearray(encode_metadata(pairs))
    for _ in range(data.draw(st.integers(1, 3)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check_against_general(bytes(content))


def check_against_general(data: bytes) -> None:
    try:
        whole = decode_metadata(data)
    except FormatError:
        whole = None  # entries beside the lists may be damaged, which the reference does not see
    for key, value in decode_signatures(data):
        assert key in KEYS
        assert value.type == "aay"
        assert whole is None or lookup(whole, key) == value


def test_first_of_two_entries_counts_whatever_its_type() -> None:
    good, odd = Variant("aay", (b"x",)), Variant("s", "x")
    for pairs, found in (
        (((ED25519, good), (ED25519, odd)), (b"x",)),
        (((ED25519, odd), (ED25519, good)), None),
    ):
        assert signatures_under(decode_signatures(encode_metadata(pairs)), ED25519) == found


def many_entries(count: int) -> bytes:
    entry = b"k\0\0\0\0\0\0\0\1\0b\x02"
    ends = struct.pack(f"<{count}I", *range(12, 16 * count, 16))
    return (entry + bytes(4)) * (count - 1) + entry + ends


def many_signatures(count: int) -> bytes:
    entry = ED25519.encode() + bytes(5) + bytes(4 * count) + b"\0aay"
    entry += struct.pack("<I", len(ED25519) + 1)
    return entry + struct.pack("<I", len(entry))


def test_builders_build_what_is_meant() -> None:
    assert decode_metadata(many_entries(5000)) == (("k", Variant("b", True)),) * 5000
    empty = decode_signatures(many_signatures(20_000))
    assert signatures_under(empty, ED25519) == (b"",) * 20_000


@pytest.mark.parametrize(
    "make", [lambda: many_entries(500_000), lambda: many_signatures(2_500_000)],
    ids=["entries", "signatures"],
)  # fmt: skip
def test_hostile_dictionaries_cost_no_more_than_their_bytes(make: Callable[[], bytes]) -> None:
    data = make()
    tracemalloc.start()
    found = decode_signatures(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == ()
    assert peak < len(data) + (1 << 20)


def test_signature_is_added_behind_the_others() -> None:
    metadata = with_signature(with_signature((), ED25519, b"1"), ED25519, b"2")
    assert signatures_under(metadata, ED25519) == (b"1", b"2")
    assert signatures_under(decode_signatures(encode_metadata(metadata)), ED25519) == (b"1", b"2")
