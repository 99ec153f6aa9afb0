"""Rows of a summary as bytes, made from the bytes of commits without decoding either.

Nearly all rows have the shape that `summary_index` describes; others go through the general codec.
Source: as there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import accumulate

from pyostree.formats.commit import decode_commit, decode_metadata, find_framing
from pyostree.formats.framing import NARROW_BYTES, with_offsets
from pyostree.formats.gvariant import Variant, encode, lookup
from pyostree.formats.summary import (
    COLLECTION_MAP_TYPE,
    COMMIT_TIMESTAMP,
    COMMIT_VERSION,
    big_endian_variant,
    ordered_metadata,
)
from pyostree.formats.variant_dict import variant_dict_order

_ROW_TYPE = "(s(taya{sv}))"
_ALIGNMENT = 8
_ZEROS = tuple(bytes(count) for count in range(_ALIGNMENT))
_HEAD_BYTES = 40
_TIMESTAMP = struct.Struct(">q")
_SIZE = struct.Struct("<Q")
_TIMESTAMP_HEAD = b"ostree.commit.timestamp\0"
_VERSION_HEAD = b"ostree.commit.version\0\0\0"
_VERSION_TAIL = b"\0\0s\x16"
_VERSION_BYTES = len(_VERSION_HEAD) + len(_VERSION_TAIL)
_TIMESTAMP_BYTES = 35
# The years 1 to 9999; `formats.dates`, which knows it too, takes long to load.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799


def row_of_commit(name: str, checksum: bytes, commit: bytes) -> bytes:
    """Return what a summary says of the ref `name`.

    Args:
        commit: the bytes of the commit object.

    Raises:
        FormatError: they are no commit.
    """
    framing = find_framing(commit)
    if framing is None:
        decoded = decode_commit(commit)
        metadata, timestamp = decoded.metadata, decoded.timestamp
    else:
        raw = commit[: framing.metadata_end]
        metadata = decode_metadata(raw) if b"version\0" in raw else ()
        timestamp = _TIMESTAMP.unpack_from(commit, framing.tree - _TIMESTAMP.size)[0]
    version = lookup(metadata, "version")
    if version is not None and version.type != "s":
        version = None
    if _FIRST_SECOND <= timestamp <= _LAST_SECOND:
        text = "" if version is None else version.value
        found = _narrow_row(name, _SIZE.pack(len(commit)) + checksum, timestamp, text)
        if found is not None and (version is None or text):
            return found
    return _general_row(name, (len(commit), checksum), timestamp, version)


def _narrow_row(name: str, head: bytes, timestamp: int, version: str) -> bytes | None:
    """Return the row, with a version unless that is empty; None when it would be too long."""
    start = name.encode() + b"\0"
    split = len(start)
    body = start + _ZEROS[-split % _ALIGNMENT] + head
    if version:
        text = version.encode()
        first = _VERSION_BYTES + len(text)
        padding = _ZEROS[-first % _ALIGNMENT]
        last = first + len(padding) + _TIMESTAMP_BYTES
        if len(body) + last + 4 > NARROW_BYTES:  # the offsets, that of the name included
            return None
        body += _VERSION_HEAD + text + _VERSION_TAIL + padding
        ends = bytes([first, last, _HEAD_BYTES, split])
    else:
        if len(body) + _TIMESTAMP_BYTES + 3 > NARROW_BYTES:
            return None
        ends = bytes([_TIMESTAMP_BYTES, _HEAD_BYTES, split])
    return body + _TIMESTAMP_HEAD + _TIMESTAMP.pack(timestamp) + b"\0t\x18" + ends


def _general_row(
    name: str, commit: tuple[int, bytes], timestamp: int, version: Variant | None
) -> bytes:
    pairs: list[tuple[str, Variant]] = []
    if _FIRST_SECOND <= timestamp <= _LAST_SECOND:
        pairs.append((COMMIT_TIMESTAMP, big_endian_variant(timestamp % (1 << 64))))
    if version is not None:
        pairs.append((COMMIT_VERSION, version))
    return encode(_ROW_TYPE, (name, (*commit, ordered_metadata(pairs))))


def join_rows(rows: Iterable[bytes]) -> bytes:
    """Return the list ``a(s(taya{sv}))`` of `rows`, which the caller has sorted by name."""
    listed = list(rows)
    if not listed:
        return b""
    padded = [row + _ZEROS[-len(row) % _ALIGNMENT] for row in listed[:-1]]
    starts = accumulate(map(len, padded), initial=0)
    ends = [start + len(row) for start, row in zip(starts, listed, strict=True)]
    return with_offsets(b"".join(padded) + listed[-1], ends)


def join_collections(collections: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the variant that lists refs of other collections, each list made by `join_rows`."""
    return _join_dictionary(collections) + b"\0" + COLLECTION_MAP_TYPE.encode()


def join_summary(refs: bytes, metadata: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a summary of a list of refs, made by `join_rows`, and metadata.

    Args:
        metadata: keys with serialized variants as they are inserted; the last of a key counts.
    """
    values = dict(metadata)
    ordered = ((key, values[key]) for key in variant_dict_order(values))
    body = refs + _ZEROS[-len(refs) % _ALIGNMENT] + _join_dictionary(ordered)
    return with_offsets(body, [len(refs)])


def _join_dictionary(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a dictionary of strings and values that are aligned to 8."""
    entries = []
    for key, value in pairs:
        start = key.encode() + b"\0"
        body = start + _ZEROS[-len(start) % _ALIGNMENT] + value
        entries.append(with_offsets(body, [len(start)]))
    return join_rows(entries)
