"""Building one part of a static delta: objects are added until it is full."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pyostree.delta.part_file import pack_part
from pyostree.formats.delta_operations import (
    Close,
    Open,
    Operation,
    Patch,
    SetSource,
    SpliceFile,
    SpliceMetadata,
    UnsetSource,
    encode_operation,
)
from pyostree.formats.delta_part import FileMode, encode_payload
from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.formats.xattrs import Xattrs, encode_xattrs

_MODE_BYTES = 12


class BuiltPart(NamedTuple):
    """A finished part; `data` is its file, `usize` what its objects hold."""

    data: bytes
    usize: int
    objects: tuple[ObjectName, ...]


class PartBuilder:
    """Collects objects.

    Attributes:
        objects: added so far.
        usize: bytes that they hold.
        estimate: bytes of the payload so far, without framing.
    """

    def __init__(self) -> None:
        self.objects: list[ObjectName] = []
        self.usize = 0
        self._modes: dict[FileMode, int] = {}
        self._xattrs: dict[Xattrs, int] = {}
        self._xattr_bytes = 0
        self._blob = bytearray()
        self._operations = bytearray()

    @property
    def estimate(self) -> int:
        """Bytes of the payload so far, without framing."""
        lists = len(self._modes) * _MODE_BYTES + self._xattr_bytes
        return len(self._blob) + len(self._operations) + lists

    def add_metadata(self, name: ObjectName, data: bytes) -> None:
        """Add a metadata object."""
        self.objects.append(name)
        self.usize += len(data)
        self._emit(SpliceMetadata(len(data), self._store([data])))

    def add_file(self, checksum: Checksum, header: FileHeader, chunks: Iterable[bytes]) -> None:
        """Add a file with its whole content, or a symlink."""
        self.objects.append(ObjectName(checksum, ObjectType.FILE))
        offset = self._store([header.target.encode()] if header.is_symlink else chunks)
        length = len(self._blob) - offset
        if not header.is_symlink:
            self.usize += length
        self._emit(SpliceFile(*self._attributes(header), length, offset))

    def add_patched(
        self, checksum: Checksum, header: FileHeader, size: int, source: Checksum, patch: bytes
    ) -> None:
        """Add a file of `size` bytes that a patch makes from another one."""
        self.objects.append(ObjectName(checksum, ObjectType.FILE))
        self.usize += size
        self._emit(SetSource(self._store([source])))
        self._emit(Open(*self._attributes(header), size))
        self._emit(Patch(self._store([patch]), len(patch)))
        self._emit(Close())
        self._emit(UnsetSource())

    def finish(self) -> BuiltPart:
        """Return the part file."""
        payload = encode_payload(
            tuple(self._modes), tuple(self._xattrs), self._blob, self._operations
        )
        return BuiltPart(pack_part(payload), self.usize, tuple(self.objects))

    def _store(self, chunks: Iterable[bytes]) -> int:
        """Append bytes to the blob and return where they begin."""
        offset = len(self._blob)
        for chunk in chunks:
            self._blob += chunk
        return offset

    def _attributes(self, header: FileHeader) -> tuple[int, int]:
        mode = FileMode(header.uid, header.gid, header.mode)
        if header.xattrs not in self._xattrs:
            self._xattr_bytes += len(encode_xattrs(header.xattrs))
        return (
            self._modes.setdefault(mode, len(self._modes)),
            self._xattrs.setdefault(header.xattrs, len(self._xattrs)),
        )

    def _emit(self, operation: Operation) -> None:
        self._operations += encode_operation(operation)
