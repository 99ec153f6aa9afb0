"""Pairs of similar files: a new one is likely to be made from an old one of the same name."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyostree.formats.objects import Checksum

# What is compressed already differs all over when its content differs a little.
_COMPRESSED = ("xz", "bz2")

# A name, or the part before its first dot.
_Key = tuple[str, bool]


class NamedFile(NamedTuple):
    """A regular file with its size and all the names it has."""

    checksum: Checksum
    size: int
    names: frozenset[str]

    @property
    def is_comparable(self) -> bool:
        """Whether a similar file is worth looking for."""
        return self.size > 0 and not any(
            name.rpartition(".")[2] in _COMPRESSED for name in self.names if "." in name
        )


def find_pairs(
    old: Iterable[NamedFile], new: Iterable[NamedFile]
) -> Iterator[tuple[Checksum, Checksum]]:
    """Yield (old, new) pairs; each new file once at most.

    Sizes of a pair differ by at most 30 %, and a name is equal, or equal up to the first dot.
    """
    candidates = sorted((one for one in old if one.is_comparable), key=lambda one: one.size)
    sizes = [one.size for one in candidates]
    by_name: dict[_Key, list[int]] = {}
    by_stem: dict[_Key, list[int]] = {}
    for index, candidate in enumerate(candidates):
        for name in candidate.names:
            by_name.setdefault((name, False), []).append(index)
            by_stem.setdefault(_stem(name), []).append(index)
    for file in sorted((one for one in new if one.is_comparable), key=lambda one: one.size):
        start = bisect_left(sizes, file.size * 7 // 10)
        end = bisect_left(sizes, file.size * 13 // 10 + 1)
        found = _first(by_name, ((name, False) for name in file.names), start)
        if found >= end:
            found = _first(by_stem, (_stem(name) for name in file.names), start)
        if found < end:
            yield candidates[found].checksum, file.checksum


def _first(index: dict[_Key, list[int]], keys: Iterable[_Key], start: int) -> int:
    """Return the lowest position from `start` on that a key has; beyond all if there is none."""
    lowest = sys.maxsize
    for key in keys:
        positions = index.get(key, ())
        at = bisect_left(positions, start)
        if at < len(positions):
            lowest = min(lowest, positions[at])
    return lowest


def _stem(name: str) -> _Key:
    """Return the name up to its first dot, so that versions in names do not matter."""
    stem, dot, _ = name.partition(".")
    return (stem, True) if stem and dot else (name, False)
