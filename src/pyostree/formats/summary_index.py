"""`SummaryIndex`: a summary searched where it lies, of which only what is asked for is decoded."""

from __future__ import annotations

from collections.abc import Iterator

from pyostree.errors import FormatError
from pyostree.formats.aligned_array import (
    ALIGNMENT,
    is_narrowest,
    require,
    split_dictionary,
)
from pyostree.formats.framing import offset_width
from pyostree.formats.gvariant import Variant, decode, is_normal
from pyostree.formats.objects import CHECKSUM_BYTES
from pyostree.formats.refspec import check_collection_id
from pyostree.formats.summary import (
    COLLECTION_ID,
    COLLECTION_MAP,
    COLLECTION_MAP_TYPE,
    EMPTY_SUMMARY,
    EXPIRES,
    INDEXED_DELTAS,
    LAST_MODIFIED,
    MODE,
    STATIC_DELTAS,
    TOMBSTONE_COMMITS,
    SummaryRef,
    string_value,
)
from pyostree.formats.summary_table import RefTable

_MAP_END = b"\0" + COLLECTION_MAP_TYPE.encode()
_DELTAS_END = b"\0a{sv}"
_DIGEST_END = b"\0ay"
_DIGEST_BYTES = CHECKSUM_BYTES + len(_DIGEST_END)
_OURS = frozenset(
    {STATIC_DELTAS, COLLECTION_ID, COLLECTION_MAP, MODE, TOMBSTONE_COMMITS, INDEXED_DELTAS}
    | {LAST_MODIFIED, EXPIRES}
)
_MAX_KEYS = 1 << 16
# Flatpak keeps the data of all its apps in one value.
_LARGE_BYTES = 64 << 10


class SummaryIndex:
    """A summary that has been checked, but for large values of keys that are not ours.

    Attributes:
        refs: its main list.
        collection_id: the collection of that; None when not given.

    Raises:
        FormatError: it has no normal form, or far too many keys.
    """

    def __init__(self, data: bytes) -> None:
        data = data or EMPTY_SUMMARY
        refs_end, metadata_start, metadata_end = _split_pair(data)
        self.refs = RefTable(data, refs_end)
        self._metadata = memoryview(data)[metadata_start:metadata_end]
        self._others: list[tuple[str, RefTable]] | None = None
        for count, (key, value) in enumerate(split_dictionary(self._metadata)):
            if count == _MAX_KEYS:
                raise FormatError("Too many keys in the metadata of a summary")
            self._check_value(key, value)
        self.collection_id = self.lookup_str(COLLECTION_ID)

    def _check_value(self, key: str, value: memoryview) -> None:
        if key == COLLECTION_MAP and self._others is None:
            self._others = _read_map(value)  # the first of a key counts, whatever its type
        elif key == STATIC_DELTAS and _has_type(value, _DELTAS_END):
            for _, digest in split_dictionary(value[: -len(_DELTAS_END)]):
                require(_is_digest(digest) or is_normal("v", digest))
        elif key in _OURS or len(value) <= _LARGE_BYTES:
            require(is_normal("v", value))

    def check_names(self) -> None:
        """Raise `InvalidNameError` unless all names are refs, and collections have good IDs."""
        for collection_id, refs in self.collections():
            if collection_id is not None:
                check_collection_id(collection_id)
            refs.check_names()

    def lookup(self, key: str) -> Variant | None:
        """Return the first metadata value of that key."""
        value = self._find(key)
        if value is None:
            return None
        found: Variant = decode("v", value)
        return found

    def deltas(self) -> Iterator[tuple[str, Variant]]:
        """Yield the names of static deltas and the SHA-256 of their superblocks, as listed."""
        value = self._find(STATIC_DELTAS)
        if value is not None and _has_type(value, _DELTAS_END):
            for name, digest in split_dictionary(value[: -len(_DELTAS_END)]):
                if _is_digest(digest):
                    yield name, Variant("ay", bytes(digest[: -len(_DIGEST_END)]))
                else:
                    yield name, decode("v", digest)

    def _find(self, key: str) -> memoryview | None:
        pairs = split_dictionary(self._metadata)
        return next((value for found, value in pairs if found == key), None)

    def lookup_str(self, key: str) -> str | None:
        """Return a metadata value that is a string; None when absent or of another type."""
        return string_value(self.lookup(key))

    def lookup_bool(self, key: str) -> bool:
        """Return a metadata value that is a boolean; False when absent or of another type."""
        found = self.lookup(key)
        return bool(found.value) if found is not None and found.type == "b" else False

    def find(self, name: str, collection_id: str | None = None) -> SummaryRef | None:
        """Return a ref of the main list, or of the given collection; None when absent."""
        if collection_id is None or collection_id == self.collection_id:
            return self.refs.find(name)
        for listed_id, refs in self._others or ():
            if listed_id == collection_id:
                return refs.find(name)
        return None

    def collections(self) -> Iterator[tuple[str | None, RefTable]]:
        """Yield the main list with its collection, None if it has none; then the others."""
        yield self.collection_id, self.refs
        yield from self._others or ()


def _read_map(value: memoryview) -> list[tuple[str, RefTable]]:
    if not _has_type(value, _MAP_END):
        require(is_normal("v", value))
        return []
    pairs = split_dictionary(value[: -len(_MAP_END)])
    return [(collection_id, RefTable(bytes(refs))) for collection_id, refs in pairs]


def _has_type(value: memoryview, end: bytes) -> bool:
    return bytes(value[-len(end) :]) == end


def _is_digest(value: memoryview) -> bool:
    return len(value) == _DIGEST_BYTES and bytes(value[-len(_DIGEST_END) :]) == _DIGEST_END


def _split_pair(data: bytes) -> tuple[int, int, int]:
    """Return where the refs of a summary end, and where its metadata begin and end."""
    width = offset_width(len(data))
    body = len(data) - width
    end = int.from_bytes(data[body:], "little")
    start = (end + 7) & -ALIGNMENT
    require(start <= body and is_narrowest(width, body, 1) and not any(data[end:start]))
    return end, start, body
