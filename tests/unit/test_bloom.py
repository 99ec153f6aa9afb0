"""SipHash and the Bloom filter of a peer's announcement: known answers, sizes, many refs."""

from __future__ import annotations

import pytest

from pyostree.formats.bloom import (
    MAX_HASHES,
    BloomFilter,
    RefHashes,
    build_filter,
    fit_filter,
    hash_refs,
)
from pyostree.formats.refspec import CollectionRef
from pyostree.formats.siphash import siphash24, siphash24_many

COLLECTION = "org.example.Collection1"
REF = CollectionRef(COLLECTION, "test-1")


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, 0x726FDB47DD0E0E31),
        (1, 0x74F839C593DC67FD),
        (2, 0x0D6C8009D9A94F5A),
        (3, 0x85676696D7FB7E2D),
        (15, 0xA129CA6149BE45E5),
    ],
)
def test_siphash24_of_the_authors_vectors_is_theirs(length: int, expected: int) -> None:
    assert siphash24(bytes(range(16)), bytes(range(length))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", (0x8CC15D5DB2F752B9, 0xCEE8C1A73FB4A0CB, 0xB6D894B761A88206)),
        ("there", (0x30BA31140043BC9C, 0x308DA16834F5C591, 0x2FD0766DC4333991)),
        ("", (0x1E924B9D737700D7, 0xDDD62CB26F4FA77E, 0x7731E29520CCAD0C)),
        (COLLECTION, (0x4D93FCEB89A2CB2B, 0x9A35E11F031375F4, 0x1891D8B399220C3A)),
        ("test-1", (0xDD56487DF05AF0E3, 0xFAE44EB1DCA374FC, 0x7602C281CF61F139)),
    ],
)
def test_siphash24_with_the_keys_of_hash_functions_is_the_references(
    text: str, expected: tuple[int, ...]
) -> None:
    hashes = siphash24_many([(bytes((number,)) * 16, text.encode()) for number in range(3)])

    assert tuple(hashes) == expected


def test_siphash24_many_of_more_messages_than_lanes_keeps_their_order() -> None:
    inputs = [(bytes((n % 7,)) * 16, b"x" * (n % 40) + bytes((n % 256,))) for n in range(1500)]

    assert siphash24_many(inputs) == [siphash24(key, message) for key, message in inputs]


def test_siphash24_with_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        siphash24(b"short", b"")


def test_hash_refs_is_the_references_for_every_function() -> None:
    expected = [0x90C5B49679F83BC8, 0x60D1AFAEDFB00108, 0x6E931A325643FD03]

    assert hash_refs([REF], 0, 3) == [expected]
    assert hash_refs([REF], 1, 3) == [expected[1:]]


def test_build_filter_is_the_references() -> None:
    bloom = build_filter([REF], size_bytes=16, hashes=4)

    assert bloom == BloomFilter(4, bytes.fromhex("18010000000000000001000000000000"))


def test_may_contain_of_the_references_string_filter_knows_its_strings() -> None:
    bloom = BloomFilter(3, bytes.fromhex("4008021000000002"))
    keys = [bytes((number,)) * 16 for number in range(3)]

    found = {
        text: bloom.may_contain(siphash24_many([(key, text.encode()) for key in keys]))
        for text in ("hello", "there", "other")
    }

    assert found == {"hello": True, "there": True, "other": False}


def test_select_gives_the_refs_that_may_be_in_whatever_filter_comes_first() -> None:
    other = CollectionRef(COLLECTION, "other")
    hashes = RefHashes([REF, other])

    assert hashes.select(build_filter([REF], size_bytes=16, hashes=2)) == [REF]
    assert hashes.select(build_filter([other], size_bytes=64, hashes=MAX_HASHES)) == [other]
    assert hashes.select(BloomFilter(1, b"\xff")) == [REF, other]
    assert hashes.select(BloomFilter(1, b"\0")) == []


@pytest.mark.parametrize("count", [0, 1, 20, 200])
def test_fit_filter_holds_all_refs_and_few_others(count: int) -> None:
    refs = [CollectionRef(COLLECTION, f"ref-{number}") for number in range(count)]
    others = [CollectionRef(COLLECTION, f"other-{number}") for number in range(1000)]

    bloom = fit_filter(refs, max_bytes=250)

    assert RefHashes(refs).select(bloom) == refs
    assert len(RefHashes(others).select(bloom)) <= 30  # one in a hundred, by luck some more


def test_fit_filter_of_too_many_refs_stays_within_its_limit() -> None:
    refs = [CollectionRef(COLLECTION, f"app/org.example.App{n}/x86_64/1") for n in range(5000)]

    bloom = fit_filter(refs, max_bytes=250)

    assert (bloom.hashes, len(bloom.data)) == (1, 250)
    assert RefHashes(refs).select(bloom) == refs


@pytest.mark.parametrize(("size", "hashes"), [(0, 1), (1, 0), (1, 256)])
def test_build_filter_of_no_size_is_refused(size: int, hashes: int) -> None:
    with pytest.raises(ValueError, match="no filter"):
        build_filter([REF], size_bytes=size, hashes=hashes)
