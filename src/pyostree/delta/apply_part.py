"""Applying one part of a static delta: its operations run, its objects are verified and stored.

Nothing in a part is believed: ranges are checked before they are used, a file reaches the store
only when it hashes to its listed checksum, and every listed object must be there in the end.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from typing import Self

from pyostree.delta.source import Source
from pyostree.errors import FormatError, NotFoundError, doing
from pyostree.formats.bspatch import apply_patch
from pyostree.formats.delta_operations import (
    Close,
    Open,
    Operation,
    Patch,
    SetSource,
    SpliceFile,
    SpliceMetadata,
    UnsetSource,
    Write,
    decode_operations,
    operation_title,
)
from pyostree.formats.delta_part import PartPayload
from pyostree.formats.file_header import FileHeader, check_header
from pyostree.formats.objects import CHECKSUM_BYTES, Checksum, ObjectName
from pyostree.repo.repo import Repo

_PIECE = 1 << 20


def apply_part(repo: Repo, objects: Sequence[ObjectName], payload: PartPayload) -> None:
    """Store the objects of a part; those that the repository has already are left alone.

    Args:
        objects: what the part header lists.

    Raises:
        FormatError: operations or ranges make no sense, or objects are missing in the end.
        ChecksumMismatchError: what the operations make of an object is another one.
        ObjectNotFoundError: the source of a file is not in the repository.
    """
    if not objects:
        return
    with _Machine(repo, objects, payload) as machine:
        machine.run()


class _Machine:
    """Runs operations; `done` objects have been dealt with."""

    def __init__(self, repo: Repo, objects: Sequence[ObjectName], payload: PartPayload) -> None:
        self._repo = repo
        self._objects = objects
        self._payload = payload
        self._operations = decode_operations(payload.operations, objects)
        self._source: Source | None = None
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop_source()

    def run(self) -> None:
        """Run all operations."""
        for operation in self._operations:
            match operation:
                case SpliceMetadata():
                    with doing(f"opcode {operation_title(operation)}"):
                        self._splice_metadata(operation)
                case SpliceFile():
                    with doing(f"opcode {operation_title(operation)}"):
                        self._splice_file(operation)
                case Open():
                    self._make_file(operation)
                case Close():
                    self._end_object()
                case Write() | Patch():
                    raise FormatError(f"opcode {operation_title(operation)}: No object is open")
                case SetSource() | UnsetSource():
                    self._switch_source(operation)
        self._check_complete()

    def _check_complete(self) -> None:
        # The reference leaves this to a later fsck.
        for name in self._objects:
            if not self._repo.store.has(name):
                raise NotFoundError(f"Static delta part does not produce object {name}")

    def _target(self) -> ObjectName:
        if self._done >= len(self._objects):
            raise FormatError("Static delta part produces more objects than it lists")
        return self._objects[self._done]

    def _end_object(self) -> None:
        self._drop_source()
        self._done += 1

    # -- whole objects -------------------------------------------------------------------

    def _splice_metadata(self, operation: SpliceMetadata) -> None:
        name = self._target()
        data = self._slice(operation.offset, operation.length)
        if not self._repo.store.has_own(name):
            self._repo.store.write_metadata(name.type, bytes(data), expected=name.checksum)
        self._end_object()

    def _splice_file(self, operation: SpliceFile) -> None:
        name = self._target()
        data = self._slice(operation.offset, operation.length)
        header = self._header(operation.mode, operation.xattrs)
        if header.is_symlink:
            header = header._replace(target=_decode_target(data))
            data = memoryview(b"")
        check_header(header)
        self._repo.store.write_content(
            header, _pieces(data), size=len(data), expected=name.checksum
        )
        self._end_object()

    def _header(self, mode_index: int, xattrs_index: int) -> FileHeader:
        modes, lists = self._payload.modes, self._payload.xattrs
        if mode_index >= len(modes):
            raise FormatError(f"Invalid mode index {mode_index}")
        if xattrs_index >= len(lists):
            raise FormatError(f"Invalid xattr index {xattrs_index}")
        return FileHeader(*modes[mode_index], "", lists[xattrs_index])

    # -- files in several steps ----------------------------------------------------------

    def _make_file(self, operation: Open) -> None:
        with doing(f"opcode {operation_title(operation)}"):
            name = self._target()
            if name.type.is_metadata:
                raise FormatError(f"Object {name} is opened as a file")
            header = self._header(operation.mode, operation.xattrs)
            check_header(header)
            if not stat.S_ISREG(header.mode):
                raise FormatError(f"Invalid mode {header.mode}; not a regular file")
        store = self._repo.store
        if store.has_own_content(name.checksum):
            self._skip_file()
        else:
            pieces = self._content(operation.length)
            store.write_content(header, pieces, size=operation.length, expected=name.checksum)
        self._end_object()

    def _skip_file(self) -> None:
        for operation in self._operations:
            if isinstance(operation, Close):
                return
        raise FormatError("Static delta part ends within an object")

    def _content(self, size: int) -> Iterator[bytes]:
        """Yield what the operations up to the next `Close` write."""
        for operation in self._operations:
            match operation:
                case Close():
                    return
                case Write():
                    with doing(f"opcode {operation_title(operation)}"):
                        data = self._written(operation)
                    yield from _pieces(data)
                case Patch():
                    yield from self._patched(operation, size)
                case SetSource() | UnsetSource():
                    self._switch_source(operation)
                case _:
                    raise FormatError(
                        f"opcode {operation_title(operation)}: An object is open already"
                    )
        raise FormatError("Static delta part ends within an object")

    def _written(self, operation: Write) -> memoryview:
        if self._source is not None:
            return self._source.slice(operation.offset, operation.length)
        return self._slice(operation.offset, operation.length)

    def _patched(self, operation: Patch, size: int) -> Iterator[bytes]:
        if self._source is None:
            raise FormatError("opcode bspatch: There is no read source")
        patch = self._slice(operation.offset, operation.length)
        return apply_patch(patch, self._source.data, size)

    # -- where bytes come from -----------------------------------------------------------

    def _slice(self, offset: int, length: int) -> memoryview:
        if offset + length > len(self._payload.blob):
            raise FormatError(f"Invalid offset/length {offset}/{length}")
        return self._payload.blob[offset : offset + length]

    def _switch_source(self, operation: Operation) -> None:
        self._drop_source()
        if isinstance(operation, SetSource):
            with doing(f"opcode {operation_title(operation)}"):
                checksum = Checksum(bytes(self._slice(operation.offset, CHECKSUM_BYTES)))
                self._source = Source(self._repo, checksum)

    def _drop_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()


def _pieces(data: memoryview) -> Iterator[bytes]:
    for start in range(0, len(data), _PIECE):
        yield bytes(data[start : start + _PIECE])


def _decode_target(data: memoryview) -> str:
    try:
        return bytes(data).decode()
    except UnicodeDecodeError:
        raise FormatError("Invalid UTF-8 in symlink target") from None
