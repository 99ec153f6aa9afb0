"""`LanRecord`: what a repository on the local network says of itself in its DNS-SD TXT record.

A TXT record is a list of strings of up to 255 bytes, each after a byte with its length; a string
is ``key=value``. The values are serialized GVariants: ``v`` a ``y``, the version; ``rb`` a
``(yyay)``, the number of hash functions, the hash used and the Bloom filter of the repository's
collection refs; ``st`` a big-endian ``t``, when its summary was made; ``ri`` a big-endian ``q``,
its number on that server.

Source: RFC 6763 section 6 (TXT records); the reference's LAN discovery for the keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.bloom import BloomFilter

SERVICE_TYPE = "_ostree_repo._tcp"
MAX_TEXT_BYTES = (
    8900  # of one string in the reference; of a whole record, since packets end at 9000
)
MAX_FILTER_BYTES = 250  # what is left of a string for the filter

_VERSION = 1
_COLLECTION_REF_HASH = 1
_FILTER_HEAD_BYTES = 2
_MAX_STRING_BYTES = 255
_KEY_BYTES = frozenset(range(0x20, 0x7F)) - {ord("=")}


class LanRecord(NamedTuple):
    """What a peer announces.

    Attributes:
        refs: filter of its collection refs.
        summary_modified: when its summary was made, seconds since 1970 UTC.
        number: which repository of that server: it is served below ``/NUMBER``.
    """

    refs: BloomFilter
    summary_modified: int
    number: int


def decode_lan_record(text: bytes) -> LanRecord:
    """Return what the data of a TXT record says.

    Raises:
        FormatError: it is too long, of another version, or something is missing.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise FormatError(f"a TXT record of {len(text)} bytes is too long")
    found = decode_attributes(text)
    version = _fixed(found, "v", 1)
    if version != _VERSION:
        raise FormatError(f"Unsupported version {version} of the TXT record")
    return LanRecord(
        refs=_decode_filter(found),
        summary_modified=_fixed(found, "st", 8),
        number=_fixed(found, "ri", 2),
    )


def encode_lan_record(record: LanRecord) -> bytes:
    """Return the data of a TXT record; `ValueError` when the filter is too large for one."""
    bloom = record.refs
    values = {
        "v": bytes((_VERSION,)),
        "rb": bytes((bloom.hashes, _COLLECTION_REF_HASH)) + bloom.data,
        "st": record.summary_modified.to_bytes(8, "big"),
        "ri": record.number.to_bytes(2, "big"),
    }
    text = bytearray()
    for key, value in values.items():
        string = key.encode() + b"=" + value
        if len(string) > _MAX_STRING_BYTES:
            raise ValueError(f"a string of a TXT record has {_MAX_STRING_BYTES} bytes at most")
        text.append(len(string))
        text += string
    return bytes(text)


def decode_attributes(text: bytes) -> dict[str, bytes | None]:
    """Return the keys, in lower case, with their values; strings that are wrong do not count.

    A key without ``=`` has the value None; of several values of a key the first one counts.
    """
    found: dict[str, bytes | None] = {}
    for string in _iter_strings(text):
        key, equals, value = string.partition(b"=")
        if key and _KEY_BYTES.issuperset(key):
            found.setdefault(key.decode("ascii").lower(), value if equals else None)
    return found


def _iter_strings(text: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(text):
        end = position + 1 + text[position]
        if end > len(text):  # cut off
            return
        yield text[position + 1 : end]
        position = end


def _fixed(found: dict[str, bytes | None], key: str, size: int) -> int:
    """Return a number of that many bytes; any other number of bytes is not its normal form."""
    value = found.get(key)
    if value is None or len(value) != size:
        raise FormatError(f"Missing record for key ‘{key}’")
    return int.from_bytes(value, "big")


def _decode_filter(found: dict[str, bytes | None]) -> BloomFilter:
    value = found.get("rb")
    if value is None or len(value) <= _FILTER_HEAD_BYTES:
        raise FormatError("Missing record for key ‘rb’")
    hashes, hash_id = value[:_FILTER_HEAD_BYTES]
    if hashes == 0:
        raise FormatError("the Bloom filter has no hash functions")
    if hash_id != _COLLECTION_REF_HASH:
        raise FormatError(f"the Bloom filter uses an unknown hash, {hash_id}")
    return BloomFilter(hashes, value[_FILTER_HEAD_BYTES:])
