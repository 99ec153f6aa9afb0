"""`BloomFilter`: a set of collection refs in few bytes; it may hold too much, never too little.

The filter of n bytes has m = 8n bits. Each of its k hash functions is SipHash-2-4 under the key
that repeats the function's number; a collection ref hashes to the hash of its collection ID XOR
that of its name, and selects bit ``hash mod m``. Bit b is ``1 << (b % 8)`` of byte ``b // 8``.

Source: "Bloom filter" of the reference's LAN discovery, compared with filters it made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pyostree.formats.refspec import CollectionRef
from pyostree.formats.siphash import KEY_BYTES, siphash24_many

MAX_HASHES = 255

_BITS = 8
_MIN_BYTES = 8
# One ref in a hundred that is not there seems to be.
_BITS_PER_REF = -math.log(0.01) / math.log(2) ** 2
_GOOD_HASHES = 10  # beyond that a filter for few refs gets no better, only slower


class BloomFilter(NamedTuple):
    """A filter; `hashes` is the number of its hash functions, k."""

    hashes: int
    data: bytes

    def may_contain(self, hashes: Sequence[int]) -> bool:
        """Tell whether the ref with these hashes, of all functions from the first on, may be in."""
        bits = len(self.data) * _BITS
        for value in hashes[: self.hashes]:
            bit = value % bits
            if not self.data[bit // _BITS] & 1 << bit % _BITS:
                return False
        return True


class RefHashes:
    """The hashes of some collection refs, each made once however many filters are asked."""

    def __init__(self, refs: Iterable[CollectionRef]) -> None:
        self.refs = tuple(refs)
        self._hashes: list[list[int]] = [[] for _ in self.refs]
        self._count = 0

    def select(self, bloom: BloomFilter) -> list[CollectionRef]:
        """Return the refs that may be in a filter."""
        self._extend(bloom.hashes)
        rows = zip(self.refs, self._hashes, strict=True)
        return [ref for ref, hashes in rows if bloom.may_contain(hashes)]

    def _extend(self, count: int) -> None:
        if count <= self._count:
            return
        more = hash_refs(self.refs, self._count, count)
        for hashes, new in zip(self._hashes, more, strict=True):
            hashes.extend(new)
        self._count = count


def hash_refs(refs: Sequence[CollectionRef], first: int, end: int) -> list[list[int]]:
    """Return for each ref its hashes by the functions `first` to ``end - 1``."""
    names = list(dict.fromkeys(text for ref in refs for text in (ref.collection_id or "", ref.ref)))
    encoded = [name.encode("utf-8", "surrogateescape") for name in names]
    keys = [bytes((number,)) * KEY_BYTES for number in range(first, end)]
    hashes = siphash24_many([(key, text) for text in encoded for key in keys])
    count = end - first
    by_name = {
        name: hashes[index * count : (index + 1) * count] for index, name in enumerate(names)
    }
    return [
        [a ^ b for a, b in zip(by_name[ref.collection_id or ""], by_name[ref.ref], strict=True)]
        for ref in refs
    ]


def build_filter(refs: Iterable[CollectionRef], *, size_bytes: int, hashes: int) -> BloomFilter:
    """Return the filter of that size with all `refs` in it."""
    if size_bytes < 1 or not 1 <= hashes <= MAX_HASHES:
        raise ValueError(f"no filter has {size_bytes} bytes and {hashes} hash functions")
    data = bytearray(size_bytes)
    bits = size_bytes * _BITS
    for row in hash_refs(tuple(refs), 0, hashes):
        for value in row:
            bit = value % bits
            data[bit // _BITS] |= 1 << bit % _BITS
    return BloomFilter(hashes, bytes(data))


def fit_filter(refs: Iterable[CollectionRef], *, max_bytes: int) -> BloomFilter:
    """Return a filter as large as the number of refs asks for, with the best number of hashes."""
    every = tuple(refs)
    wanted = math.ceil(len(every) * _BITS_PER_REF / _BITS)
    size = min(max(wanted, _MIN_BYTES), max_bytes)
    best = round(size * _BITS / max(len(every), 1) * math.log(2))
    return build_filter(every, size_bytes=size, hashes=min(max(best, 1), _GOOD_HASHES))
