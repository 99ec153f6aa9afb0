"""Streams of content that is counted, and hashed, on the way into a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from pyostree.errors import ChecksumMismatchError, FormatError
from pyostree.formats.objects import Checksum


def expect_checksum(actual: Checksum, expected: Checksum | None) -> Checksum:
    """Return `actual`; raise `ChecksumMismatchError` when another one is expected."""
    if expected is not None and actual != expected:
        raise ChecksumMismatchError("file", str(expected), str(actual))
    return actual


class _Update(Protocol):
    def __call__(self, data: bytes, /) -> None: ...


def ignore(_data: bytes, /) -> None:
    """Stand in for a digest's update where nothing is verified."""


def hashed(chunks: Iterable[bytes], size: int, update: _Update) -> Iterator[bytes]:
    """Pass `chunks` on and hand each to `update`.

    Raises:
        FormatError: they are not `size` bytes in all; told before a byte too many is passed on.
    """
    left = size
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise FormatError(f"Content is longer than the {size} bytes its header says")
        update(chunk)
        yield chunk
    if left:
        raise FormatError(f"Unexpected EOF with {left}/{size} bytes remaining")
