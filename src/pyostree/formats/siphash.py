"""SipHash-2-4 with 64 bits of output: a hash of short strings under a key of 16 bytes.

The hashes of many strings are computed at once, each in its own lane of 128 bits of one large
number: an operation on it costs little more than one on a small number, and the upper half of a
lane takes the carry or the bits that a rotation moves out, which are then masked away.

Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; its test vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

KEY_BYTES = 16

_WORD_BYTES = 8
_LANE_BYTES = 16
_WORD_MASK = (1 << 64) - 1
_MAX_LANES = 512  # larger numbers leave the processor's first cache
_PADDING = bytes(_LANE_BYTES - _WORD_BYTES)
_ROUNDS = 2
_FINAL_ROUNDS = 4
_INIT = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_FINAL = 0xFF

_State = tuple[int, int, int, int]


def siphash24(key: bytes, message: bytes) -> int:
    """Return the hash of one message, an unsigned number of 64 bits."""
    return siphash24_many([(key, message)])[0]


def siphash24_many(inputs: Sequence[tuple[bytes, bytes]]) -> list[int]:
    """Return the hash of each message under its key.

    Args:
        inputs: pairs of a key of `KEY_BYTES` and a message.
    """
    hashes = [0] * len(inputs)
    by_words: dict[int, list[int]] = {}
    for index, (key, message) in enumerate(inputs):
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        by_words.setdefault(len(message) // _WORD_BYTES, []).append(index)
    for indexes in by_words.values():
        for lanes in _batches(indexes):
            found = _hash_lanes([inputs[index] for index in lanes])
            for index, value in zip(lanes, found, strict=True):
                hashes[index] = value
    return hashes


def _batches(indexes: Iterable[int]) -> Iterable[list[int]]:
    rest = iter(indexes)
    while batch := list(islice(rest, _MAX_LANES)):
        yield batch


def _hash_lanes(inputs: list[tuple[bytes, bytes]]) -> list[int]:
    """Return the hashes of messages that have the same number of whole words."""
    ones = int.from_bytes((b"\x01" + bytes(_LANE_BYTES - 1)) * len(inputs), "little")
    mask = ones * _WORD_MASK
    low = _pack([key[:_WORD_BYTES] for key, _ in inputs])
    high = _pack([key[_WORD_BYTES:] for key, _ in inputs])
    i0, i1, i2, i3 = (ones * word for word in _INIT)
    state = (low ^ i0, high ^ i1, low ^ i2, high ^ i3)
    for word in _iter_words([message for _, message in inputs]):
        v0, v1, v2, v3 = state
        v0, v1, v2, v3 = _mix((v0, v1, v2, v3 ^ word), mask, _ROUNDS)
        state = (v0 ^ word, v1, v2, v3)
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _mix((v0, v1, v2 ^ ones * _FINAL, v3), mask, _FINAL_ROUNDS)
    return _unpack(v0 ^ v1 ^ v2 ^ v3, len(inputs))


def _iter_words(messages: list[bytes]) -> Iterable[int]:
    """Yield the words of all messages side by side; the last ones hold the length, too."""
    whole = len(messages[0]) // _WORD_BYTES * _WORD_BYTES
    for start in range(0, whole, _WORD_BYTES):
        yield _pack([message[start : start + _WORD_BYTES] for message in messages])
    yield _pack(
        [
            message[whole:].ljust(_WORD_BYTES - 1, b"\0") + bytes((len(message) & 0xFF,))
            for message in messages
        ]
    )


def _pack(words: list[bytes]) -> int:
    return int.from_bytes(_PADDING.join(words), "little")


def _unpack(lanes: int, count: int) -> list[int]:
    data = lanes.to_bytes(count * _LANE_BYTES, "little")
    return [
        int.from_bytes(data[start : start + _WORD_BYTES], "little")
        for start in range(0, len(data), _LANE_BYTES)
    ]


def _mix(state: _State, mask: int, rounds: int) -> _State:
    """Do SipRounds; rotations are written out, a call for each would cost more than its work."""
    v0, v1, v2, v3 = state
    for _ in range(rounds):
        v0 = (v0 + v1) & mask
        v1 = ((v1 << 13 | v1 >> 51) & mask) ^ v0
        v0 = (v0 << 32 | v0 >> 32) & mask
        v2 = (v2 + v3) & mask
        v3 = ((v3 << 16 | v3 >> 48) & mask) ^ v2
        v0 = (v0 + v3) & mask
        v3 = ((v3 << 21 | v3 >> 43) & mask) ^ v0
        v2 = (v2 + v1) & mask
        v1 = ((v1 << 17 | v1 >> 47) & mask) ^ v2
        v2 = (v2 << 32 | v2 >> 32) & mask
    return v0, v1, v2, v3
