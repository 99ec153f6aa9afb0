"""The order in which the reference serializes dictionaries that it built in a hash table.

``commit --bootable`` and the metadata of summaries pass through a GLib hash table, whose order of
iteration decides the bytes and so the checksum; ``find-remotes`` prints in such an order. Source:
the algorithm of ``GHashTable``: open addressing with growing steps, multiplicative hashing, growth
in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import TypeVar

from pyostree.formats.refspec import CollectionRef

K = TypeVar("K")

_MASK32 = 0xFFFFFFFF
_MIN_SHIFT = 3
# A key with its hash, or nothing.
_Slot = tuple[int, K] | None
# The modulus for each size of the table: a prime below the power of two.
_PRIMES = (
    *(1, 2, 3, 7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071),
    *(262139, 524287, 1048573, 2097143, 4194301, 8388593, 16777213, 33554393, 67108859, 134217689),
)


def variant_dict_order(keys: Iterable[str]) -> list[str]:
    """Return distinct `keys` in the order in which the reference writes them.

    Args:
        keys: in the order of insertion; a repeated key keeps its first place.
    """
    return _table_order(keys, _hash)


def collection_ref_order(refs: Iterable[CollectionRef]) -> list[CollectionRef]:
    """Return distinct `refs` in the order in which the reference prints what it found of them.

    Args:
        refs: in the order of insertion.
    """
    return _table_order(refs, lambda ref: _hash(ref.collection_id or "") ^ _hash(ref.ref))


def _table_order(keys: Iterable[K], hash_of: Callable[[K], int]) -> list[K]:
    """Return the order of `keys` in a hash table into which they were put one after the other."""
    shift = _MIN_SHIFT
    slots: list[_Slot[K]] = [None] * (1 << shift)
    used = 0
    for key in keys:
        # 0 and 1 mark slots that are free.
        if not _insert(slots, (max(hash_of(key), 2), key), _PRIMES[shift]):
            continue
        used += 1
        if len(slots) <= used + used // 16:
            shift = max(int(used * 1.333).bit_length(), _MIN_SHIFT)
            slots = _resized(slots, shift)
    return [entry[1] for entry in slots if entry is not None]


def _hash(text: str) -> int:
    value = 5381
    for byte in text.encode("utf-8"):
        signed = byte - 256 if byte > 127 else byte  # noqa: PLR2004  # C's plain char is signed
        value = (value * 33 + signed) & _MASK32
    return value


def _probe(hashed: int, prime: int, mask: int) -> Iterable[int]:
    position = ((hashed * 11) & _MASK32) % prime
    for step in count(1):
        yield position
        position = (position + step) & mask


def _insert(slots: list[_Slot[K]], entry: tuple[int, K], prime: int) -> bool:
    for position in _probe(entry[0], prime, len(slots) - 1):
        if slots[position] == entry:
            return False
        if slots[position] is None:
            slots[position] = entry
            return True
    raise AssertionError("a probe visits every slot")


def _resized(old: list[_Slot[K]], shift: int) -> list[_Slot[K]]:
    """Grow the table in place: keys not yet moved are pushed out by those that are."""
    size = 1 << shift
    slots = old + [None] * (size - len(old))
    settled = [False] * size
    for start in range(len(old)):
        if settled[start] or slots[start] is None:
            continue
        moving, slots[start] = slots[start], None
        while moving is not None:
            position = next(
                at for at in _probe(moving[0], _PRIMES[shift], size - 1) if not settled[at]
            )
            settled[position] = True
            moving, slots[position] = slots[position], moving
    return slots
