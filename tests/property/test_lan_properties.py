"""Announcements of peers: any bytes are a record or an error; hashes are as defined."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from pyostree.errors import FormatError
from pyostree.formats.bloom import MAX_HASHES, BloomFilter, RefHashes, build_filter, fit_filter
from pyostree.formats.lan_record import (
    MAX_FILTER_BYTES,
    LanRecord,
    decode_lan_record,
    encode_lan_record,
)
from pyostree.formats.refspec import CollectionRef
from pyostree.formats.siphash import siphash24_many

MASK = (1 << 64) - 1

_COLLECTIONS = st.sampled_from(["org.example.A", "org.example.B"])
_REFS = st.builds(CollectionRef, _COLLECTIONS, st.text(min_size=1, max_size=40))
_BLOOMS = st.builds(
    BloomFilter, st.integers(1, MAX_HASHES), st.binary(min_size=1, max_size=MAX_FILTER_BYTES)
)


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> 64 - bits) & MASK


def _round(v: list[int]) -> None:
    v[0] = (v[0] + v[1]) & MASK
    v[2] = (v[2] + v[3]) & MASK
    v[1] = _rotated(v[1], 13) ^ v[0]
    v[3] = _rotated(v[3], 16) ^ v[2]
    v[0] = _rotated(v[0], 32)
    v[2] = (v[2] + v[1]) & MASK
    v[0] = (v[0] + v[3]) & MASK
    v[1] = _rotated(v[1], 17) ^ v[2]
    v[3] = _rotated(v[3], 21) ^ v[0]
    v[2] = _rotated(v[2], 32)


def _plain_siphash(key: bytes, message: bytes) -> int:
    """SipHash as its paper has it, word by word."""
    low, high = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [
        low ^ 0x736F6D6570736575,
        high ^ 0x646F72616E646F6D,
        low ^ 0x6C7967656E657261,
        high ^ 0x7465646279746573,
    ]
    padded = message + bytes(7 - len(message) % 8) + bytes((len(message) % 256,))
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        v[3] ^= word
        _round(v)
        _round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(4):
        _round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


_KEYS = st.binary(min_size=16, max_size=16)


@given(st.lists(st.tuples(_KEYS, st.binary(max_size=300)), max_size=20))
def test_siphash24_many_equals_the_plain_algorithm(inputs: list[tuple[bytes, bytes]]) -> None:
    assert siphash24_many(inputs) == [_plain_siphash(key, message) for key, message in inputs]


@given(st.lists(_REFS, max_size=20), st.integers(1, 64), st.integers(1, 12))
def test_build_filter_contains_every_ref_given(
    refs: list[CollectionRef], size: int, hashes: int
) -> None:
    assert RefHashes(refs).select(build_filter(refs, size_bytes=size, hashes=hashes)) == refs


@given(st.lists(_REFS, max_size=60), st.integers(1, MAX_FILTER_BYTES))
def test_fit_filter_contains_every_ref_and_keeps_its_limit(
    refs: list[CollectionRef], limit: int
) -> None:
    bloom = fit_filter(refs, max_bytes=limit)

    assert len(bloom.data) <= limit
    assert RefHashes(refs).select(bloom) == refs


@given(_BLOOMS, st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 16) - 1))
def test_lan_record_survives_a_round_trip(bloom: BloomFilter, modified: int, index: int) -> None:
    record = LanRecord(bloom, modified, index)

    assert decode_lan_record(encode_lan_record(record)) == record


@given(st.binary(max_size=600))
def test_decode_lan_record_any_bytes_raises_only_format_error(text: bytes) -> None:
    with suppress(FormatError):
        decode_lan_record(text)


@given(
    st.lists(st.tuples(st.sampled_from(["v", "rb", "st", "ri", "V"]), st.binary(max_size=20))),
    _BLOOMS,
)
def test_decode_lan_record_of_wrong_values_raises_only_format_error(
    values: list[tuple[str, bytes]], bloom: BloomFilter
) -> None:
    strings = [key.encode() + b"=" + value for key, value in values]
    text = b"".join(bytes((len(string),)) + string for string in strings)

    with suppress(FormatError):
        decode_lan_record(text + encode_lan_record(LanRecord(bloom, 0, 0)))
