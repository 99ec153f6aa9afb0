"""`DigestSet`: a set of a million checksums in little more than their own bytes.

A checksum in a `set` costs 140 bytes, in here 32 to 70. New ones collect in a small set, so that
those that come again and again cost nothing; when it is full they are appended to one of 256
strings, chosen by their first byte as the directories below ``objects/`` are. A string is rid of
its duplicates each time that it has doubled, so that adding stays linear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from pyostree.formats.objects import CHECKSUM_BYTES, Checksum

_MAX_FRESH = 1 << 17
_MIN_LIMIT = 64 << 10  # bytes of one string before it is first rid of duplicates
_BUCKETS = 256


class DigestSet(Set[Checksum]):
    """A growing set of checksums; asking for those with the same first byte together is cheap."""

    __slots__ = ("_bucket", "_first", "_fresh", "_limits", "_packed")

    def __init__(self, digests: Iterable[bytes] = ()) -> None:
        self._fresh: set[bytes] = set()
        self._packed = [bytearray() for _ in range(_BUCKETS)]
        self._limits = [_MIN_LIMIT] * _BUCKETS
        self._first = -1
        self._bucket: frozenset[bytes] = frozenset()
        self.update(digests)

    def update(self, digests: Iterable[bytes]) -> None:
        """Add checksums."""
        self._fresh.update(digests)
        self._first = -1
        if len(self._fresh) > _MAX_FRESH:
            self._pack()

    def _pack(self) -> None:
        packed = self._packed
        for digest in self._fresh:
            packed[digest[0]] += digest
        self._fresh = set()
        for first, limit in enumerate(self._limits):
            if len(packed[first]) > limit:
                packed[first] = bytearray(b"".join(_slices(packed[first])))
                self._limits[first] = max(2 * len(packed[first]), _MIN_LIMIT)

    def bucket(self, first: int) -> frozenset[bytes]:
        """Return the checksums whose first byte is `first`."""
        if self._fresh:
            self._pack()
        if first != self._first:
            self._first, self._bucket = first, _slices(self._packed[first])
        return self._bucket

    def __contains__(self, digest: object) -> bool:
        if not isinstance(digest, bytes) or len(digest) != CHECKSUM_BYTES:
            return False
        return digest in self._fresh or digest in self.bucket(digest[0])

    def __iter__(self) -> Iterator[Checksum]:
        """Yield the checksums in order."""
        for first in range(_BUCKETS):
            yield from map(Checksum, sorted(self.bucket(first)))

    def __len__(self) -> int:
        return sum(len(self.bucket(first)) for first in range(_BUCKETS))

    @classmethod
    def _from_iterable(cls, digests: Iterable[Checksum]) -> set[Checksum]:  # type: ignore[override]
        return set(digests)  # what `&` and its like return is small or not kept


def _slices(packed: bytearray) -> frozenset[bytes]:
    data = bytes(packed)
    return frozenset([data[at : at + CHECKSUM_BYTES] for at in range(0, len(data), CHECKSUM_BYTES)])
