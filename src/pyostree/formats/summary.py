"""Summaries, ``(a(s(taya{sv}))a{sv})``: the index of refs that a repository publishes.

Refs are sorted by name, since readers search them by halving. A commit's size is in the byte order
of the machine that wrote the summary (in practice little-endian); times are big-endian.

Source: "Summary file" of the repository format, compared with files of the reference.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.gvariant import Variant, decode, encode, lookup
from pyostree.formats.objects import Checksum, checksum_from_variant
from pyostree.formats.variant_dict import variant_dict_order

SUMMARY_TYPE = "(a(s(taya{sv}))a{sv})"
REFS_TYPE = "a(s(taya{sv}))"
COLLECTION_MAP_TYPE = "a{sa(s(taya{sv}))}"

COMMIT_TIMESTAMP = "ostree.commit.timestamp"
COMMIT_VERSION = "ostree.commit.version"
STATIC_DELTAS = "ostree.static-deltas"
LAST_MODIFIED = "ostree.summary.last-modified"
EXPIRES = "ostree.summary.expires"
MODE = "ostree.summary.mode"
TOMBSTONE_COMMITS = "ostree.summary.tombstone-commits"
INDEXED_DELTAS = "ostree.summary.indexed-deltas"
COLLECTION_ID = "ostree.summary.collection-id"
COLLECTION_MAP = "ostree.summary.collection-map"

# A file without any bytes is read like this one, as by the reference.
EMPTY_SUMMARY = b"\0"

_U64_BYTES = 8

Metadata = tuple[tuple[str, Variant], ...]


class SummaryRef(NamedTuple):
    """One ref of a summary.

    Attributes:
        size: bytes of the commit object.
        raw_checksum: as it stands in the file, of any length; see `checksum`.
    """

    name: str
    size: int
    raw_checksum: bytes
    metadata: Metadata

    @property
    def checksum(self) -> Checksum:
        """The commit; raises `InvalidNameError` when it has not 32 bytes."""
        return checksum_from_variant(self.raw_checksum)

    @property
    def timestamp(self) -> int | None:
        """When the commit was made, seconds since 1970 UTC; None when not given."""
        return big_endian_value(lookup(self.metadata, COMMIT_TIMESTAMP))


class Summary(NamedTuple):
    """A decoded summary; both parts in stored order."""

    refs: tuple[SummaryRef, ...]
    metadata: Metadata

    def lookup(self, key: str) -> Variant | None:
        """Return the first metadata value of that key."""
        return lookup(self.metadata, key)

    def lookup_str(self, key: str) -> str | None:
        """Return a metadata value that is a string; None when absent or of another type."""
        return string_value(self.lookup(key))

    @property
    def collection_id(self) -> str | None:
        """Collection of the main list of refs."""
        return self.lookup_str(COLLECTION_ID)

    @property
    def last_modified(self) -> int | None:
        """When the summary was made, seconds since 1970 UTC."""
        return big_endian_value(self.lookup(LAST_MODIFIED))

    @property
    def deltas(self) -> tuple[tuple[str, bytes], ...]:
        """Names of static deltas and the SHA-256 of their superblocks, as listed."""
        found = self.lookup(STATIC_DELTAS)
        if found is None or found.type != "a{sv}":
            return ()
        return tuple((name, digest.value) for name, digest in found.value if digest.type == "ay")

    def find(self, name: str, collection_id: str | None = None) -> SummaryRef | None:
        """Return a ref of the main list, or of the given collection; None when absent."""
        if collection_id is None or collection_id == self.collection_id:
            return find_ref(self.refs, name)
        for listed_id, refs in self.other_collections():
            if listed_id == collection_id:
                return find_ref(refs, name)
        return None

    def other_collections(self) -> Iterator[tuple[str, tuple[SummaryRef, ...]]]:
        """Yield the collections besides the main list's."""
        found = self.lookup(COLLECTION_MAP)
        if found is not None and found.type == COLLECTION_MAP_TYPE:
            for collection_id, rows in found.value:
                yield collection_id, _refs(rows)

    def collections(self) -> Iterator[tuple[str | None, tuple[SummaryRef, ...]]]:
        """Yield the main list with its collection, None if it has none; then the others."""
        yield self.collection_id, self.refs
        yield from self.other_collections()


def find_ref(refs: tuple[SummaryRef, ...], name: str) -> SummaryRef | None:
    """Return the ref called `name` from a sorted list, or None."""
    position = bisect_left(refs, name.encode("utf-8", "surrogateescape"), key=_sort_key)
    if position < len(refs) and refs[position].name == name:
        return refs[position]
    return None


def _sort_key(ref: SummaryRef) -> bytes:
    return ref.name.encode()


def decode_summary(data: bytes) -> Summary:
    """Return the summary that `data` holds.

    Raises:
        FormatError: `data` is no serialized summary.
    """
    try:
        rows, metadata = decode(SUMMARY_TYPE, data or EMPTY_SUMMARY)
    except FormatError as err:
        raise FormatError(f"Invalid summary: {err}") from err
    return Summary(_refs(rows), metadata)


def encode_summary(summary: Summary) -> bytes:
    """Return the bytes of a summary, keys and refs in the given order."""
    return encode(SUMMARY_TYPE, (_rows(summary.refs), summary.metadata))


def collection_map(collections: Iterable[tuple[str, tuple[SummaryRef, ...]]]) -> Variant:
    """Return the metadata value that lists the refs of other collections."""
    return Variant(COLLECTION_MAP_TYPE, tuple((key, _rows(refs)) for key, refs in collections))


def ordered_metadata(pairs: Iterable[tuple[str, Variant]]) -> Metadata:
    """Return `pairs` in the order in which the reference writes them; the last of a key counts."""
    values: dict[str, Variant] = {}
    for key, value in pairs:
        values[key] = value
    return tuple((key, values[key]) for key in variant_dict_order(values))


def big_endian_variant(number: int) -> Variant:
    """Return a ``t`` whose bytes, written little-endian, are those of `number` big-endian."""
    return Variant("t", int.from_bytes(number.to_bytes(_U64_BYTES, "big"), "little"))


def big_endian_value(variant: Variant | None) -> int | None:
    """Return the number in a big-endian ``t``; None when absent or of another type."""
    if variant is None or variant.type != "t":
        return None
    return int.from_bytes(variant.value.to_bytes(_U64_BYTES, "little"), "big")


def string_value(variant: Variant | None) -> str | None:
    """Return the text in an ``s``; None when absent or of another type."""
    return variant.value if variant is not None and variant.type == "s" else None


def _refs(rows: Iterable[tuple[str, tuple[int, bytes, Metadata]]]) -> tuple[SummaryRef, ...]:
    return tuple(
        SummaryRef(name, size, checksum, metadata) for name, (size, checksum, metadata) in rows
    )


def _rows(refs: Iterable[SummaryRef]) -> tuple[tuple[str, tuple[int, bytes, Metadata]], ...]:
    return tuple((ref.name, (ref.size, bytes(ref.raw_checksum), ref.metadata)) for ref in refs)
