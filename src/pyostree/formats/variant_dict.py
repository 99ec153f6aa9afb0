"""The order in which the reference serializes dictionaries that it built in a hash table.

``commit --bootable`` and the metadata of summaries pass through a GLib hash table, whose order of
iteration decides the bytes and so the checksum. Source: the algorithm of ``GHashTable``: open
addressing with growing steps, multiplicative hashing, growth in place.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

_MASK32 = 0xFFFFFFFF
_MIN_SHIFT = 3
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
    shift = _MIN_SHIFT
    slots: list[str | None] = [None] * (1 << shift)
    used = 0
    for key in keys:
        if not _insert(slots, key, _PRIMES[shift]):
            continue
        used += 1
        if len(slots) <= used + used // 16:
            shift = max(int(used * 1.333).bit_length(), _MIN_SHIFT)
            slots = _resized(slots, shift)
    return [key for key in slots if key is not None]


def _hash(key: str) -> int:
    value = 5381
    for byte in key.encode("utf-8"):
        signed = byte - 256 if byte > 127 else byte  # noqa: PLR2004  # C's plain char is signed
        value = (value * 33 + signed) & _MASK32
    return value if value > 1 else 2


def _probe(key: str, prime: int, mask: int) -> Iterable[int]:
    position = ((_hash(key) * 11) & _MASK32) % prime
    for step in count(1):
        yield position
        position = (position + step) & mask


def _insert(slots: list[str | None], key: str, prime: int) -> bool:
    for position in _probe(key, prime, len(slots) - 1):
        if slots[position] == key:
            return False
        if slots[position] is None:
            slots[position] = key
            return True
    raise AssertionError("a probe visits every slot")


def _resized(old: list[str | None], shift: int) -> list[str | None]:
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
                at for at in _probe(moving, _PRIMES[shift], size - 1) if not settled[at]
            )
            settled[position] = True
            moving, slots[position] = slots[position], moving
    return slots
