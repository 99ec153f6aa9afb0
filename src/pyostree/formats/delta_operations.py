"""The operations in a part of a static delta: how its objects are put together.

Each is a letter followed by numbers, written as varints. The numbers of ``S`` depend on the type of
the object whose turn it is, so operations can only be read beside the part's list of objects.

Source: "Delta operations" of the static delta format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from pyostree.errors import FormatError
from pyostree.formats.objects import ObjectName
from pyostree.formats.varint import decode_varint, encode_varint


class SpliceMetadata(NamedTuple):
    """Produce a metadata object from bytes of the blob."""

    length: int
    offset: int


class SpliceFile(NamedTuple):
    """Produce a file or symlink whose content (or target) are bytes of the blob."""

    mode: int
    xattrs: int
    length: int
    offset: int


class Open(NamedTuple):
    """Begin a regular file of `length` bytes."""

    mode: int
    xattrs: int
    length: int


class Write(NamedTuple):
    """Append bytes of the source, or of the blob when there is no source."""

    length: int
    offset: int


class SetSource(NamedTuple):
    """Make a local file the source; the blob has its checksum at `offset`."""

    offset: int


class UnsetSource(NamedTuple):
    """Go back to the blob."""


class Close(NamedTuple):
    """End the file that was begun, or skip an object."""


class Patch(NamedTuple):
    """Append what a patch in the blob makes of the whole source."""

    offset: int
    length: int


Operation: TypeAlias = (
    SpliceMetadata | SpliceFile | Open | Write | SetSource | UnsetSource | Close | Patch
)

_SPLICE = ord("S")
_LETTERS: dict[type[Operation], int] = {
    SpliceMetadata: _SPLICE,
    SpliceFile: _SPLICE,
    Open: ord("o"),
    Write: ord("w"),
    SetSource: ord("r"),
    UnsetSource: ord("R"),
    Close: ord("c"),
    Patch: ord("B"),
}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
# What messages call them.
_TITLES: dict[type[Operation], str] = {
    SpliceMetadata: "open-splice-and-close",
    SpliceFile: "open-splice-and-close",
    Open: "open",
    Write: "write",
    SetSource: "set-read-source",
    UnsetSource: "unset-read-source",
    Close: "close",
    Patch: "bspatch",
}


def decode_operations(data: bytes, objects: Sequence[ObjectName]) -> Iterator[Operation]:
    """Yield the operations one by one.

    Args:
        objects: what the part produces, in the order of the part header.

    Raises:
        FormatError: an unknown letter, a missing number, or more objects than are listed.
    """
    position = count = done = 0
    while position < len(data):
        letter = data[position]
        if letter == _SPLICE:
            if done >= len(objects):
                raise FormatError("Static delta part produces more objects than it lists")
            kind: type[Operation] = SpliceMetadata if objects[done].type.is_metadata else SpliceFile
        elif letter in _KINDS:
            kind = _KINDS[letter]
        else:
            raise FormatError(f"Unknown opcode {letter} at offset {count}")
        numbers = []
        position += 1
        for _ in kind._fields:
            try:
                number, position = decode_varint(data, position)
            except FormatError as err:
                err.add_note(f"opcode {_TITLES[kind]}")
                raise
            numbers.append(number)
        done += kind in (SpliceMetadata, SpliceFile, Close)
        count += 1
        yield kind(*numbers)


def encode_operation(operation: Operation) -> bytes:
    """Return the bytes of one operation."""
    numbers = b"".join(encode_varint(number) for number in operation)
    return bytes([_LETTERS[type(operation)]]) + numbers


def operation_title(operation: Operation) -> str:
    """Return what messages call an operation."""
    return _TITLES[type(operation)]
