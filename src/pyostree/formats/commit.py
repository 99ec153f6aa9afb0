"""Commit objects, ``(a{sv}aya(say)sstayay)``: a root directory with its description and parent.

Source: "Commit" of the object model. The timestamp is big-endian on disk; values in the metadata
keep the byte order of their writer, in practice little-endian.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from pyostree.errors import FormatError, InvalidNameError
from pyostree.formats.gvariant import Variant, decode, encode, lookup
from pyostree.formats.objects import Checksum, checksum_from_variant

COMMIT_TYPE = "(a{sv}aya(say)sstayay)"
METADATA_TYPE = "a{sv}"
_U64 = (1 << 64) - 1

Metadata = tuple[tuple[str, Variant], ...]


class Commit(NamedTuple):
    """A decoded commit object.

    Attributes:
        metadata: keys and values in stored order; a key may stand in it twice.
        parent: None for the first commit of a history.
        related: names and checksums of related objects; always empty today.
        timestamp: seconds since 1970 UTC, signed.
        root_tree: checksum of the root's dirtree.
        root_meta: checksum of the root's dirmeta.
    """

    metadata: Metadata
    parent: Checksum | None
    related: tuple[tuple[str, bytes], ...]
    subject: str
    body: str
    timestamp: int
    root_tree: Checksum
    root_meta: Checksum

    def lookup(self, key: str) -> Variant | None:
        """Return the first metadata value of that key."""
        return lookup(self.metadata, key)

    def lookup_str(self, key: str) -> str | None:
        """Return a metadata value that is a string, or None when absent or of another type."""
        found = lookup(self.metadata, key)
        return found.value if found is not None and isinstance(found.value, str) else None

    def content_checksum(self) -> Checksum:
        """Return the checksum of the tree alone: equal for commits with equal content."""
        return Checksum(hashlib.sha256(self.root_tree + self.root_meta).digest())


def encode_commit(commit: Commit) -> bytes:
    """Return the object's bytes.

    Raises:
        FormatError: an empty metadata key.
    """
    check_metadata_keys(commit.metadata)
    swapped = int.from_bytes((commit.timestamp & _U64).to_bytes(8, "big"), "little")
    fields = (
        commit.metadata,
        bytes(commit.parent or b""),
        commit.related,
        commit.subject,
        commit.body,
        swapped,
        bytes(commit.root_tree),
        bytes(commit.root_meta),
    )
    return encode(COMMIT_TYPE, fields)


def decode_commit(data: bytes) -> Commit:
    """Return the fields of a commit object.

    Raises:
        FormatError: broken framing, an empty metadata key, or a checksum of a wrong length.
    """
    value = decode(COMMIT_TYPE, data)
    assert isinstance(value, tuple)
    metadata, parent, related, subject, body, swapped, tree, meta = value
    check_metadata_keys(metadata)
    timestamp = int.from_bytes(swapped.to_bytes(8, "little"), "big", signed=True)
    return Commit(
        metadata,
        _checksum("parent", parent) if parent else None,
        related,
        subject,
        body,
        timestamp,
        _checksum("tree content checksum", tree),
        _checksum("tree metadata checksum", meta),
    )


def _checksum(what: str, raw: bytes) -> Checksum:
    try:
        return checksum_from_variant(raw)
    except InvalidNameError as err:
        raise FormatError(f"Invalid commit {what}: {err}") from None


def check_metadata_keys(metadata: Metadata) -> None:
    """Raise `FormatError` when a key is empty."""
    if any(not key for key, _ in metadata):
        raise FormatError("Empty metadata key")


def check_commit(data: bytes) -> None:
    """Raise `FormatError` unless `data` is a valid commit in normal form."""
    decode_commit(data)
    if encode(COMMIT_TYPE, decode(COMMIT_TYPE, data)) != data:
        raise FormatError("Not normal form")


def encode_metadata(metadata: Metadata) -> bytes:
    """Return an ``a{sv}``, the content of detached metadata (``commitmeta``)."""
    return encode(METADATA_TYPE, metadata)


def decode_metadata(data: bytes) -> Metadata:
    """Return the pairs of an ``a{sv}``; no bytes mean no pairs.

    Raises:
        FormatError: broken framing.
    """
    value: Metadata = decode(METADATA_TYPE, data) if data else ()
    return value
