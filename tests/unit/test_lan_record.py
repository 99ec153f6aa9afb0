"""The TXT record of a peer: known bytes, everything that must not be believed."""

from __future__ import annotations

import pytest

from pyostree.errors import FormatError
from pyostree.formats.bloom import BloomFilter, build_filter
from pyostree.formats.lan_record import (
    MAX_FILTER_BYTES,
    LanRecord,
    decode_attributes,
    decode_lan_record,
    encode_lan_record,
)
from pyostree.formats.refspec import CollectionRef

BLOOM = build_filter([CollectionRef("org.example.Collection1", "test-1")], size_bytes=16, hashes=4)
STRINGS = {
    b"v": b"\x01",
    b"rb": bytes.fromhex("040118010000000000000001000000000000"),
    b"st": (1_700_000_000).to_bytes(8, "big"),
    b"ri": b"\x01\x02",
}


def _text(strings: list[bytes]) -> bytes:
    return b"".join(bytes((len(string),)) + string for string in strings)


def _record(**changes: bytes | None) -> bytes:
    values = {**STRINGS, **{key.encode(): value for key, value in changes.items()}}
    return _text([key + b"=" + value for key, value in values.items() if value is not None])


def test_encode_lan_record_is_the_references() -> None:
    assert encode_lan_record(LanRecord(BLOOM, 1_700_000_000, 0x0102)) == _record()


def test_decode_lan_record_of_the_references_record() -> None:
    assert decode_lan_record(_record()) == LanRecord(BLOOM, 1_700_000_000, 0x0102)


def test_encode_lan_record_takes_the_largest_filter_and_no_larger() -> None:
    largest = LanRecord(BloomFilter(1, bytes(MAX_FILTER_BYTES)), 0, 0)

    assert decode_lan_record(encode_lan_record(largest)) == largest
    with pytest.raises(ValueError, match="255 bytes"):
        encode_lan_record(LanRecord(BloomFilter(1, bytes(MAX_FILTER_BYTES + 1)), 0, 0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "key ‘v’"),
        (_record(v=None), "key ‘v’"),
        (_record(v=b"\x02"), "Unsupported version 2"),
        (_record(v=b"\x01\x00"), "key ‘v’"),
        (_record(v=b""), "key ‘v’"),
        (_record(rb=None), "key ‘rb’"),
        (_record(rb=b""), "key ‘rb’"),
        (_record(rb=b"\x01\x01"), "key ‘rb’"),
        (_record(rb=b"\x00\x01\xff"), "no hash functions"),
        (_record(rb=b"\x01\x02\xff"), "unknown hash, 2"),
        (_record(st=None), "key ‘st’"),
        (_record(st=b"\x00" * 7), "key ‘st’"),
        (_record(ri=None), "key ‘ri’"),
        (_record(ri=b"\x00" * 3), "key ‘ri’"),
        (_text([b"v", *[key + b"=" + value for key, value in STRINGS.items()]]), "key ‘v’"),
        (_record() + bytes(9000), "too long"),
    ],
)
def test_decode_lan_record_that_says_too_little_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        decode_lan_record(text)


def test_decode_attributes_ignores_wrong_strings_and_keeps_the_first_of_a_key() -> None:
    text = _text([b"=x", b"", b"A b=1=2", b"a B=3", b"no\x7f=1", b"k\xc3\xa9=1", b"flag"])

    assert decode_attributes(text) == {"a b": b"1=2", "flag": None}


def test_decode_attributes_cut_off_keeps_what_is_whole() -> None:
    assert decode_attributes(b"\x03a=1\x09b=2") == {"a": b"1"}
