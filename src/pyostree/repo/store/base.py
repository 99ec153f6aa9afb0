"""`ObjectStore`: what the stores of all modes share.

```
objects/XX/REST.EXT            published objects
tmp/staging-BOOTID-XXXXXX/     the same layout, objects of the running transaction
```

An object is written to a file without a name and linked to it when whole, so that a name always
holds complete content. Writers hash first: what the store has already is never compressed, copied
or synced again. All methods may be called from several threads.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

from pyostree.errors import (
    FormatError,
    ObjectNotFoundError,
    UnsupportedError,
    doing,
)
from pyostree.formats.file_header import FileHeader, content_checksum, encode_header
from pyostree.formats.objects import Checksum, loose_path
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.fs.kernel import clone_file, start_writeback
from pyostree.fs.tempfile import TempFile
from pyostree.repo.store.content import OpenContent
from pyostree.repo.store.loose import LooseObjects
from pyostree.repo.store.payload_links import PayloadLinks
from pyostree.repo.store.records import Adoptable, Buffer, ContentStat, StoreSettings, Written
from pyostree.repo.store.stream import expect_checksum, hashed, ignore

# The disk begins at once with content of at least this size, while the next file is read;
# otherwise all of it waits for the sync at the end of the transaction.
_WRITEBACK_BYTES = 256 << 10
# Content up to this size may be held in memory to be read only once.
_IN_MEMORY_BYTES = 8 << 20


_WriteStream = Callable[[TempFile, FileHeader, int, Iterator[bytes]], None]


class ObjectStore(LooseObjects, ABC):
    """All objects of one repository; a subclass says how a mode keeps content objects."""

    def __init__(
        self, objects: Dir, settings: StoreSettings, parent: ObjectStore | None = None
    ) -> None:
        super().__init__(objects, settings, parent)
        self.payload_links = PayloadLinks(self)

    def open_content(self, checksum: Checksum) -> OpenContent:
        """Open a content object for reading.

        Raises:
            ObjectNotFoundError: neither this repository nor a parent has it.
            FormatError: its header is damaged.
        """
        path = loose_path(checksum, self._extension)
        for place in self.places():
            try:
                return self._open(place, path)
            except FileNotFoundError:
                continue
            except (OSError, FormatError, ObjectNotFoundError) as err:
                self._note_opening(err, checksum)
                raise
        if self.parent is not None:
            return self.parent.open_content(checksum)
        missing = ObjectNotFoundError(f"Couldn't find file object '{checksum}'")
        self._note_opening(missing, checksum)
        raise missing

    def _note_opening(self, err: Exception, checksum: Checksum) -> None:
        # A quirk of the reference: in mode archive the message of a missing object names it itself.
        if self.settings.mode.is_bare or not isinstance(err, ObjectNotFoundError):
            err.add_note(f"Opening content object {checksum}")

    def read_header(self, checksum: Checksum) -> tuple[FileHeader, int]:
        """Return header and content size of an object (errors as `open_content`)."""
        with self.open_content(checksum) as content:
            return content.header, content.size

    def stat_content(self, checksum: Checksum) -> ContentStat:
        """Return what a checkout must know of an object (errors as `open_content`)."""
        header, size = self.read_header(checksum)
        return ContentStat(header.mode, size)

    def link_content(self, checksum: Checksum, directory: Dir, name: str) -> None:
        """Hard link the loose object to `name`.

        Raises:
            OSError: EEXIST, EMLINK, EXDEV, ...; ENOENT when this repository lacks the object.
        """
        self.objects.link(loose_path(checksum, self._extension), directory, name)

    def hash_content(self, checksum: Checksum) -> tuple[FileHeader, Checksum]:
        """Return the header of an object and the checksum that it really has."""
        with self.open_content(checksum) as content:
            return content.header, content_checksum(content.header, content.chunks())

    def put_bytes(self, header: FileHeader, data: Buffer) -> Written:
        """Store content that is in memory, under the checksum that it has."""
        checksum = content_checksum(header, (data,))
        return Written(checksum, self.put_content(checksum, header, data))

    def put_content(
        self, checksum: Checksum, header: FileHeader, data: Buffer, *, is_missing: bool = False
    ) -> bool:
        """Store content that is known to hash to `checksum`; return whether it is new.

        Args:
            is_missing: the caller knows that it is, so far as anybody can.
        """
        if not is_missing and self.has_own_content(checksum):
            return False
        with doing("Writing content object"):
            return self._put_new(checksum, header, data)

    def _put_new(self, checksum: Checksum, header: FileHeader, data: Buffer) -> bool:
        self._check_writable_header(checksum, header)
        self._reserve(len(data))
        if header.is_symlink:
            return self._put_symlink(checksum, header)
        size = len(data)
        payload = None
        if self.payload_links.apply_to(header, size):
            payload = Checksum(hashlib.sha256(data).digest())
        with TempFile(self.temp) as tmp:
            is_shared = payload is not None and self.payload_links.share(payload, tmp, size)
            if not is_shared:
                self._write_body(tmp, header, data)
            is_new = self._publish(tmp, checksum, header, size)
        if is_shared or not is_new:
            self._give_back(size)
        elif payload is not None:
            self.payload_links.record(payload, checksum)
        return is_new

    def write_content(
        self,
        header: FileHeader,
        chunks: Iterable[bytes],
        *,
        size: int,
        expected: Checksum | None = None,
        source: InputFile | None = None,
    ) -> Written:
        """Store content from a stream, hashing it on the way.

        Args:
            chunks: exactly `size` bytes in all; left alone when the store has `expected`.
            expected: the checksum that header and content must have.
            source: a file with the same bytes, to share its blocks instead where that works.

        Raises:
            ChecksumMismatchError: they have another.
            FormatError: the stream is shorter or longer than `size`.
            FreeSpaceError: the object would not leave enough free space.
        """
        if expected is not None and self.has_own_content(expected):
            return Written(expected, False)
        with doing("Writing content object"):
            if header.is_symlink:
                checksum = expect_checksum(content_checksum(header), expected)
                if self.has_own_content(checksum):
                    return Written(checksum, False)
                return Written(checksum, self._put_new(checksum, header, b""))
            self._reserve(size)
            with TempFile(self.temp) as tmp:
                digest = hashlib.sha256(encode_header(header))
                is_cloned = source is not None and self._clone(source, tmp, size)
                stream = hashed(tmp.chunks() if is_cloned else chunks, size, digest.update)
                write = _exhaust if is_cloned else self._write_stream
                payload = self._write_counted(write, tmp, header, size, stream)
                checksum = expect_checksum(Checksum(digest.digest()), expected)
                self._check_writable_header(checksum, header)
                if self.has_own_content(checksum):
                    self._give_back(0 if is_cloned else size)
                    return Written(checksum, False)
                is_new = self._finish(tmp, checksum, header, size, payload, is_cloned=is_cloned)
                return Written(checksum, is_new)

    def _clone(self, source: InputFile, tmp: TempFile, size: int) -> bool:
        """Let `tmp` share the blocks of `source`; what is hashed then is what is stored."""
        if not self.settings.mode.is_bare or not clone_file(source.fd, tmp.fd):
            return False
        self._give_back(size)
        return True

    def _write_counted(
        self,
        write: _WriteStream,
        tmp: TempFile,
        header: FileHeader,
        size: int,
        stream: Iterator[bytes],
    ) -> Checksum | None:
        """Write a stream; return the checksum of the content alone if it is to be shared."""
        if not self.payload_links.apply_to(header, size):
            write(tmp, header, size, stream)
            return None
        digest = hashlib.sha256()
        write(tmp, header, size, hashed(stream, size, digest.update))
        return Checksum(digest.digest())

    def _finish(
        self,
        tmp: TempFile,
        checksum: Checksum,
        header: FileHeader,
        size: int,
        payload: Checksum | None,
        *,
        is_cloned: bool,
    ) -> bool:
        """Publish what was written, or a clone of an object with the same content."""
        is_shared = (
            payload is not None and not is_cloned and self.payload_links.share(payload, tmp, size)
        )
        is_new = self._publish(tmp, checksum, header, size)
        if is_shared:
            self._give_back(size)
        elif payload is not None and is_new:
            self.payload_links.record(payload, checksum)
        return is_new

    def write_file_content(self, header: FileHeader, file: InputFile, *, size: int) -> Written:
        """Store `size` bytes of an open file, sharing its blocks where that is possible."""
        return self.write_content(header, file.chunks(), size=size, source=file)

    def write_changed(self, source: Checksum, header: FileHeader) -> Written:
        """Store the content of the object `source` once more, under another header.

        Raises:
            ObjectNotFoundError: there is no such object.
            FormatError: it is damaged.
        """
        with self.open_content(source) as content:
            if content.size <= _IN_MEMORY_BYTES:
                return self.put_bytes(header, b"".join(content.chunks()))
            checksum = content_checksum(header, content.chunks())
        if self.has_own_content(checksum):
            return Written(checksum, False)
        with self.open_content(source) as content:
            if content.raw is not None:
                return self.write_file_content(header, content.raw, size=content.size)
            chunks = content.chunks()
            return self.write_content(header, chunks, size=content.size, expected=checksum)

    def adopt(self, checksum: Checksum, header: FileHeader, source: Adoptable) -> None:
        """Make a file of the same file system itself the content object `checksum`.

        Raises:
            UnsupportedError: this mode stores content in another form.
        """
        raise UnsupportedError(f"a repository of mode {self.settings.mode.value} adopts no files")

    def write_trusted_content(
        self, checksum: Checksum, header: FileHeader, chunks: Iterable[bytes], *, size: int
    ) -> bool:
        """Store content from a stream under a name that is not checked; tell whether it is new.

        Raises:
            FormatError: the stream is shorter or longer than `size`.
            FreeSpaceError: the object would not leave enough free space.
        """
        if self.has_own_content(checksum):
            return False
        if header.is_symlink:
            return self.put_content(checksum, header, b"")
        with doing("Writing content object"):
            self._check_writable_header(checksum, header)
            self._reserve(size)
            with TempFile(self.temp) as tmp:
                stream = hashed(chunks, size, ignore)
                payload = self._write_counted(self._write_stream, tmp, header, size, stream)
                return self._finish(tmp, checksum, header, size, payload, is_cloned=False)

    def _reserve(self, size: int) -> None:
        if self.budget is not None:
            self.budget.take(size)

    def _give_back(self, size: int) -> None:
        if self.budget is not None:
            self.budget.give_back(size)

    def _publish(
        self, tmp: TempFile, checksum: Checksum, header: FileHeader, size: int = 0
    ) -> bool:
        self._apply_metadata(tmp, header)
        if self.settings.sync_objects:
            tmp.sync()
        elif self.settings.fsync and size >= _WRITEBACK_BYTES:
            start_writeback(tmp.fd)
        path = loose_path(checksum, self._extension)
        return self.publish_file(tmp, self.destination(), path)

    # -- what a mode decides -------------------------------------------------------------

    def _check_writable_header(self, checksum: Checksum, header: FileHeader) -> None:
        """Raise `FormatError` when this mode cannot hold such a file; most hold any."""

    @abstractmethod
    def _open(self, place: Dir, path: str) -> OpenContent:
        """Open a loose content object; FileNotFoundError when it is not in `place`."""

    def _write_body(self, tmp: TempFile, header: FileHeader, data: Buffer) -> None:
        """Write the content of a regular file."""
        tmp.write(data)

    def _write_stream(
        self, tmp: TempFile, header: FileHeader, size: int, chunks: Iterator[bytes]
    ) -> None:
        """Write the content of a regular file from a stream."""
        for chunk in chunks:
            tmp.write(chunk)

    @abstractmethod
    def _apply_metadata(self, tmp: TempFile, header: FileHeader) -> None:
        """Give the file of a regular object its owner, mode, xattrs and times."""

    @abstractmethod
    def _put_symlink(self, checksum: Checksum, header: FileHeader) -> bool:
        """Store a symlink; return whether it is new."""


def _exhaust(_tmp: TempFile, _header: FileHeader, _size: int, stream: Iterator[bytes]) -> None:
    """Stand in for writing where the content is there already, and only to be hashed."""
    for _ in stream:
        pass
