"""Applying and writing binary patches in the form that static deltas embed.

A patch is a row of records: three numbers (`add`, `copy`, `seek`: 64 bits, little-endian, the sign
in the highest bit), `add` bytes to be added to those of the old file, `copy` bytes to be taken as
they are; `seek` then moves the position in the old file. It ends when the new file is complete.

Source: Colin Percival, "Naive differences of executable code", in the layout of bsdiff by M.
Endsley without its header.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyostree.errors import FormatError

_NUMBER_BYTES = 8
_RECORD_BYTES = 3 * _NUMBER_BYTES
_SIGN = 1 << 63
_MAX_RUN = (1 << 31) - 1
_CHUNK = 64 << 10
_ZEROS = bytes(_CHUNK)
_LOW = int.from_bytes(b"\x7f" * _CHUNK, "little")
_HIGH = int.from_bytes(b"\x80" * _CHUNK, "little")


def apply_patch(patch: memoryview, old: memoryview, size: int) -> Iterator[bytes]:
    """Yield the new file in pieces of at most 64 KiB.

    Args:
        size: of the new file in bytes.

    Raises:
        FormatError: the patch does not produce that many bytes, or is cut short.
    """
    at = old_at = done = 0
    while done < size:
        if at + _RECORD_BYTES > len(patch):
            raise FormatError("bsdiff patch failed")
        add, copy, seek = (
            _decode_number(patch[start : start + _NUMBER_BYTES])
            for start in range(at, at + _RECORD_BYTES, _NUMBER_BYTES)
        )
        at += _RECORD_BYTES
        _check_run(add, len(patch) - at, size - done)
        for start in range(0, add, _CHUNK):
            length = min(_CHUNK, add - start)
            yield _add(patch[at + start : at + start + length], old, old_at + start)
        at, old_at, done = at + add, old_at + add, done + add
        _check_run(copy, len(patch) - at, size - done)
        for start in range(0, copy, _CHUNK):
            yield bytes(patch[at + start : at + min(start + _CHUNK, copy)])
        at, done = at + copy, done + copy
        old_at += seek


def _check_run(length: int, available: int, wanted: int) -> None:
    if not 0 <= length <= min(available, wanted, _MAX_RUN):
        raise FormatError("bsdiff patch failed")


def _decode_number(raw: memoryview) -> int:
    number = int.from_bytes(raw, "little")
    return -(number - _SIGN) if number & _SIGN else number


def _add(diff: memoryview, old: memoryview, old_at: int) -> bytes:
    """Add `diff` to the old bytes from `old_at` on; outside the old file they count as zero."""
    length = len(diff)
    lead = min(max(-old_at, 0), length)
    base = bytes(lead) + bytes(old[max(old_at, 0) : max(old_at + length, 0)])
    base += bytes(length - len(base))
    if diff == _ZEROS[:length]:  # most of a patch: the files agree
        return base
    one, other = int.from_bytes(diff, "little"), int.from_bytes(base, "little")
    # Bytes are added all at once: seven bits each, which cannot carry over, then the eighth.
    total = ((one & _LOW) + (other & _LOW)) ^ ((one ^ other) & _HIGH)
    return total.to_bytes(length, "little")


def join_patch(control: bytes, diff: bytes, extra: bytes) -> bytes:
    """Return a patch made of the three blocks that the classic algorithm gives.

    Args:
        control: the numbers of all records.
        diff: the bytes of all `add` runs.
        extra: the bytes of all `copy` runs.
    """
    parts: list[bytes | memoryview] = []
    diff_at = extra_at = 0
    for at in range(0, len(control), _RECORD_BYTES):
        record = memoryview(control)[at : at + _RECORD_BYTES]
        add = _decode_number(record[:_NUMBER_BYTES])
        copy = _decode_number(record[_NUMBER_BYTES : 2 * _NUMBER_BYTES])
        parts += [record, diff[diff_at : diff_at + add], extra[extra_at : extra_at + copy]]
        diff_at += add
        extra_at += copy
    return b"".join(parts)
