"""Reading tar archives as a stream: V7, POSIX ustar, pax and GNU, as libarchive understands them.

Extended headers stand in front of the member that they describe; they are collected in a loop, so
that no number of them can exhaust the stack, and each is bounded before it is read.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyostree.formats.archive_member import (
    MAX_SPECIAL_BYTES,
    SIZE_LIMIT,
    ArchiveError,
    Buffer,
    Member,
    MemberKind,
    show_path,
)
from pyostree.formats.byte_stream import ByteStream
from pyostree.formats.tar_header import BLOCK_BYTES, ZERO_BLOCK, TarHeader, decode_tar_header
from pyostree.formats.tar_pax import Records, decode_pax, decode_pax_number, pax_xattrs
from pyostree.formats.tar_sparse import SparseMap, expand, old_gnu_map, pax_map, text_map

_GNU_LONG_NAME = b"L"
_GNU_LONG_TARGET = b"K"
_PAX = (b"x", b"X")
# Global headers, volume labels, old long names, access lists of Solaris: libarchive uses none.
_PASSED_OVER = (b"g", b"V", b"N", b"A")
_NEVER_LONG = (b"g", b"A")
_SPARSE = b"S"
_KINDS = {
    b"1": MemberKind.HARD_LINK,
    b"2": MemberKind.SYMLINK,
    b"3": MemberKind.OTHER,
    b"4": MemberKind.OTHER,
    b"5": MemberKind.DIRECTORY,
    b"6": MemberKind.OTHER,
    b"D": MemberKind.DIRECTORY,
    b"M": MemberKind.OTHER,
}
_WITHOUT_CONTENT = frozenset((b"2", b"3", b"4", b"5", b"6"))
_ID_MASK = 0xFFFFFFFF
_PERMISSION_BITS = 0o7777


class _Extension:
    """What the headers in front of a member say of it."""

    __slots__ = ("path", "records", "target")

    def __init__(self) -> None:
        self.path: bytes | None = None
        self.target: bytes | None = None
        self.records: Records = []

    @property
    def is_empty(self) -> bool:
        return self.path is None and self.target is None and not self.records


class TarReader:
    """An `ArchiveReader` of tar archives."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._stored = 0  # bytes of the current member that are still in the stream
        self._padding = 0
        self._sparse: SparseMap | None = None
        self._size = 0
        self._path = b""

    def next_member(self) -> Member | None:
        """Return the next member (see `ArchiveReader`)."""
        self._pass_over(self._stored + self._padding)
        extension = _Extension()
        while True:
            header = self._next_header()
            if header is None:
                if not extension.is_empty:
                    raise self._error("Truncated tar archive")
                return None
            if header.type in _PAX or header.type in (_GNU_LONG_NAME, _GNU_LONG_TARGET):
                self._extend(extension, header)
            elif header.type in _PASSED_OVER:
                if header.type in _NEVER_LONG:
                    self._check_special(header)
                self._pass_over(header.size + -header.size % BLOCK_BYTES)
            else:
                return self._member(header, extension)

    def _next_header(self) -> TarHeader | None:
        block = bytes(self._stream.take(BLOCK_BYTES))
        if not block or block == ZERO_BLOCK:
            return None
        if len(block) < BLOCK_BYTES:
            raise self._error("Truncated tar archive")
        try:
            return decode_tar_header(block)
        except ArchiveError as err:
            raise self._error(str(err)) from None

    def _check_special(self, header: TarHeader) -> None:
        if header.size > MAX_SPECIAL_BYTES:
            raise self._error("Special header too large")

    def _extend(self, extension: _Extension, header: TarHeader) -> None:
        self._check_special(header)
        data = bytes(self._stream.take(header.size))
        if len(data) < header.size:
            raise self._error("Truncated tar archive")
        self._pass_over(-header.size % BLOCK_BYTES)
        if header.type == _GNU_LONG_NAME:
            extension.path = data.partition(b"\0")[0]
        elif header.type == _GNU_LONG_TARGET:
            extension.target = data.partition(b"\0")[0]
        else:
            try:
                extension.records = decode_pax(data)
            except ArchiveError as err:
                raise self._error(str(err)) from None

    def _member(self, header: TarHeader, extension: _Extension) -> Member:
        self._path = extension.path or header.path
        try:
            return self._read_member(header, extension)
        except ArchiveError as err:
            raise self._error(str(err)) from None

    def _read_member(self, header: TarHeader, extension: _Extension) -> Member:
        fields = dict(extension.records)
        path = fields.get(b"GNU.sparse.name", fields.get(b"path", self._path))
        self._path = path
        target = header.target if extension.target is None else extension.target
        target = fields.get(b"linkpath") or target
        kind, has_content = _kind_of(header.type, path, is_pax=bool(fields))
        self._begin(_number(fields, b"size", header.size) if has_content else 0)
        if kind is MemberKind.FILE and (fields or header.type == _SPARSE):
            self._set_sparse(self._sparse_map(header, extension.records, fields))
        if kind is MemberKind.HARD_LINK and not target:  # libarchive does not take it for a link
            kind = MemberKind.FILE if self._size else MemberKind.OTHER
        return Member(
            path,
            kind,
            header.mode & _PERMISSION_BITS,
            _number(fields, b"uid", header.uid) & _ID_MASK,
            _number(fields, b"gid", header.gid) & _ID_MASK,
            self._size,
            target,
            pax_xattrs(extension.records) if fields else (),
        )

    def _sparse_map(
        self, header: TarHeader, records: Records, fields: dict[bytes, bytes]
    ) -> SparseMap | None:
        if header.type == _SPARSE:
            return old_gnu_map(header.block, self._stream)
        if fields.get(b"GNU.sparse.major") != b"1":
            return pax_map(records)
        size = _number(fields, b"GNU.sparse.realsize", -1)
        sparse, used = text_map(size, self._stream)
        if used > self._stored:
            raise ArchiveError("Damaged tar archive (sparse file)")
        self._stored -= used
        return sparse

    # -- content -------------------------------------------------------------------------

    def _begin(self, size: int) -> None:
        if size < 0:
            raise ArchiveError("Tar size attribute is negative")
        if size >= SIZE_LIMIT:
            raise ArchiveError("Tar size attribute overflow")
        self._sparse = None
        self._stored = self._size = size
        self._padding = -size % BLOCK_BYTES

    def _set_sparse(self, sparse: SparseMap | None) -> None:
        if sparse is None:
            return
        if sum(length for _, length in sparse.extents) != self._stored:
            raise ArchiveError("Damaged tar archive (sparse file)")
        self._sparse = sparse
        self._size = sparse.size

    def read_content(self) -> memoryview:
        """Return the content as a whole (see `ArchiveReader`)."""
        if self._sparse is not None:
            return memoryview(b"".join(self.iter_content()))
        size, self._stored = self._stored, 0
        data = self._stream.take(size)
        if len(data) < size:
            raise self._error("Truncated tar archive")
        return data

    def iter_content(self) -> Iterator[Buffer]:
        """Yield the content piece by piece (see `ArchiveReader`)."""
        stored, self._stored = self._stored, 0
        left = self._size
        if self._sparse is None:
            pieces: Iterator[Buffer] = self._stream.pieces(stored)
        else:
            pieces = expand(self._sparse, self._stream)
        for piece in pieces:
            left -= len(piece)
            yield piece
        if left:
            raise self._error("Truncated tar archive")

    def _pass_over(self, size: int) -> None:
        self._stored = self._padding = 0
        if self._stream.skip(size):
            raise self._error("Truncated tar archive")

    # -- errors --------------------------------------------------------------------------

    def _error(self, message: str) -> ArchiveError:
        where = f": {show_path(self._path)}" if self._path else ""
        return ArchiveError(message + where)


def _kind_of(flag: bytes, path: bytes, *, is_pax: bool) -> tuple[MemberKind, bool]:
    """Return what a type flag means, and whether content follows."""
    kind = _KINDS.get(flag, MemberKind.FILE)
    if kind is MemberKind.FILE and path.endswith(b"/"):
        return MemberKind.DIRECTORY, False
    if kind is MemberKind.HARD_LINK:
        # Only pax archives may repeat the content; in others the size is that of the target.
        return kind, is_pax
    return kind, flag not in _WITHOUT_CONTENT


def _number(fields: dict[bytes, bytes], key: bytes, default: int) -> int:
    value = fields.get(key)
    return default if value is None else decode_pax_number(value)
