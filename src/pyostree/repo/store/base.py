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

import errno
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Protocol

from pyostree.errors import (
    ChecksumMismatchError,
    FormatError,
    ObjectNotFoundError,
    UnsupportedError,
    doing,
)
from pyostree.formats.file_header import FileHeader, encode_header
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, loose_path
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.fs.kernel import start_writeback
from pyostree.fs.tempfile import TempFile
from pyostree.repo.store.content import OpenContent
from pyostree.repo.store.listing import iter_loose
from pyostree.repo.store.records import (
    Adoptable,
    Buffer,
    ContentStat,
    SpaceBudget,
    StoreSettings,
    Written,
)
from pyostree.repo.store.structure import check_structure

# The disk begins at once with content of at least this size, while the next file is read;
# otherwise all of it waits for the sync at the end of the transaction.
_WRITEBACK_BYTES = 256 << 10


class ObjectStore(ABC):
    """Objects of one repository.

    Attributes:
        objects: the directory ``objects/``.
        staging: where a running transaction collects its objects; None sends them to `objects`.
        parent: store of the parent repository, read only.
        budget: free-space check of the running transaction.
    """

    def __init__(
        self, objects: Dir, settings: StoreSettings, parent: ObjectStore | None = None
    ) -> None:
        self.objects = objects
        self.settings = settings
        self.parent = parent
        self.staging: Dir | None = None
        self.temp: Dir = objects
        self.budget: SpaceBudget | None = None
        self._extension = settings.mode.content_extension

    # -- finding -------------------------------------------------------------------------

    def path_of(self, name: ObjectName) -> str:
        """Return the path of a loose object below ``objects/`` or a staging directory."""
        if name.type is ObjectType.FILE:
            return loose_path(name.checksum, self._extension)
        return loose_path(name.checksum, name.type.extension)

    def has_own(self, name: ObjectName) -> bool:
        """Tell whether this repository itself has the object."""
        path = self.path_of(name)
        if self.staging is not None and self.staging.exists(path):
            return True
        return self.objects.exists(path)

    def has_own_content(self, checksum: Checksum) -> bool:
        """Tell whether this repository itself has the content object."""
        path = loose_path(checksum, self._extension)
        if self.objects.exists(path):
            return True
        return self.staging is not None and self.staging.exists(path)

    def has(self, name: ObjectName) -> bool:
        """Tell whether this repository or a parent has the object."""
        return self.has_own(name) or (self.parent is not None and self.parent.has(name))

    def _places(self) -> tuple[Dir, ...]:
        return (self.objects,) if self.staging is None else (self.objects, self.staging)

    def object_size(self, name: ObjectName) -> int:
        """Return the size in bytes of the loose object.

        Raises:
            OSError: it does not exist.
        """
        path = self.path_of(name)
        for place in self._places():
            status = place.try_stat(path)
            if status is not None:
                return status.st_size
        if self.parent is not None:
            return self.parent.object_size(name)
        err = OSError(errno.ENOENT, "No such file or directory")
        err.add_note(f"Querying object {name}")
        raise err

    def iter_objects(self) -> Iterator[ObjectName]:
        """Yield the published objects of this repository, in no particular order."""
        return iter_loose(self.objects, self._extension)

    def iter_commits(self, prefix: str = "") -> Iterator[Checksum]:
        """Yield commit objects whose textual checksum starts with `prefix`, the parent's too."""
        seen = set()
        for name in iter_loose(self.objects, self._extension, prefix):
            if name.type is ObjectType.COMMIT:
                seen.add(name.checksum)
                yield name.checksum
        if self.parent is not None:
            for checksum in self.parent.iter_commits(prefix):
                if checksum not in seen:
                    yield checksum

    # -- metadata ------------------------------------------------------------------------

    def read_metadata(self, name: ObjectName) -> bytes:
        """Return the bytes of a metadata object.

        Raises:
            ObjectNotFoundError: neither this repository nor a parent has it.
        """
        path = self.path_of(name)
        for place in self._places():
            try:
                return place.read_file(path, follow=False)
            except FileNotFoundError:
                continue
        if self.parent is not None:
            return self.parent.read_metadata(name)
        raise ObjectNotFoundError(f"No such metadata object {name}")

    def write_metadata(
        self, kind: ObjectType, data: bytes, *, expected: Checksum | None = None
    ) -> Written:
        """Store a metadata object.

        Args:
            expected: the checksum that `data` must have.

        Raises:
            ChecksumMismatchError: it has another.
            FormatError: the object is malformed.
        """
        with doing("Writing metadata object"):
            actual = Checksum(hashlib.sha256(data).digest())
            if expected is not None and actual != expected:
                raise ChecksumMismatchError(kind.extension, str(expected), str(actual))
            check_structure(kind, data)
            return self._write_checked(ObjectName(actual, kind), data)

    def put_metadata(self, kind: ObjectType, data: bytes) -> Written:
        """Store a metadata object that this process encoded itself, without checking it again."""
        name = ObjectName(Checksum(hashlib.sha256(data).digest()), kind)
        with doing("Writing metadata object"):
            return self._write_checked(name, data)

    def _write_checked(self, name: ObjectName, data: bytes) -> Written:
        if name.type is ObjectType.COMMIT:
            self.objects.remove(loose_path(name.checksum, "tombstone-commit"), missing_ok=True)
        if self.has_own(name):
            return Written(name.checksum, False)
        return Written(name.checksum, self._write_named(self.path_of(name), data))

    def write_tombstone(self, checksum: Checksum, data: bytes) -> None:
        """Store the marker of a deleted commit, directly and under the commit's own checksum."""
        self._write_named(loose_path(checksum, "tombstone-commit"), data, direct=True)

    def _write_named(self, path: str, data: bytes, *, direct: bool = False) -> bool:
        with TempFile(self.temp) as tmp:
            tmp.write(data)
            tmp.set_mode(0o644)
            destination = self.objects if direct else self._destination()
            if self.settings.fsync and destination is self.objects:
                tmp.sync()  # no transaction will do so before the name is seen
            return tmp.link(destination, path)

    def read_detached(self, checksum: Checksum) -> bytes | None:
        """Return the encoded detached metadata of a commit, or None when there is none."""
        path = loose_path(checksum, "commitmeta")
        for place in reversed(self._places()):
            try:
                return place.read_file(path, follow=False)
            except FileNotFoundError:
                continue
        return None if self.parent is None else self.parent.read_detached(checksum)

    def write_detached(self, checksum: Checksum, data: bytes) -> None:
        """Set the encoded detached metadata of a commit."""
        with (
            doing("Unable to write detached metadata") if self.staging is None else nullcontext(),
            TempFile(self.temp) as tmp,
        ):
            tmp.write(data)
            tmp.set_mode(0o644)
            destination = self._destination()
            path = loose_path(checksum, "commitmeta")
            is_final = self.settings.fsync and destination is self.objects
            if is_final:
                tmp.sync()
            tmp.link_replacing(destination, path)
            if is_final:
                destination.sync_dir(path[:2])

    def _destination(self) -> Dir:
        return self.objects if self.staging is None else self.staging

    # -- content -------------------------------------------------------------------------

    def open_content(self, checksum: Checksum) -> OpenContent:
        """Open a content object for reading.

        Raises:
            ObjectNotFoundError: neither this repository nor a parent has it.
            FormatError: its header is damaged.
        """
        path = loose_path(checksum, self._extension)
        for place in self._places():
            try:
                return self._open(place, path)
            except FileNotFoundError:
                continue
            except (OSError, FormatError) as err:
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
            digest = hashlib.sha256(encode_header(content.header))
            for chunk in content.chunks():
                digest.update(chunk)
            return content.header, Checksum(digest.digest())

    def put_content(self, checksum: Checksum, header: FileHeader, data: Buffer) -> bool:
        """Store content that is known to hash to `checksum`; return whether it is new."""
        if self.has_own_content(checksum):
            return False
        with doing("Writing content object"):
            return self._put_new(checksum, header, data)

    def _put_new(self, checksum: Checksum, header: FileHeader, data: Buffer) -> bool:
        self._check_writable_header(checksum, header)
        self._reserve(len(data))
        if header.is_symlink:
            return self._put_symlink(checksum, header)
        with TempFile(self.temp) as tmp:
            self._write_body(tmp, header, data)
            is_new = self._publish(tmp, checksum, header, len(data))
        if not is_new:
            self._give_back(len(data))
        return is_new

    def write_content(
        self,
        header: FileHeader,
        chunks: Iterable[bytes],
        *,
        size: int,
        expected: Checksum | None = None,
    ) -> Written:
        """Store content from a stream, hashing it on the way.

        Args:
            chunks: exactly `size` bytes in all; left alone when the store has `expected`.
            expected: the checksum that header and content must have.

        Raises:
            ChecksumMismatchError: they have another.
            FormatError: the stream is shorter or longer than `size`.
            FreeSpaceError: the object would not leave enough free space.
        """
        if expected is not None and self.has_own_content(expected):
            return Written(expected, False)
        with doing("Writing content object"):
            if header.is_symlink:
                digest = hashlib.sha256(encode_header(header))
                checksum = _expect(Checksum(digest.digest()), expected)
                if self.has_own_content(checksum):
                    return Written(checksum, False)
                return Written(checksum, self._put_new(checksum, header, b""))
            self._reserve(size)
            with TempFile(self.temp) as tmp:
                digest = hashlib.sha256(encode_header(header))
                self._write_stream(tmp, header, size, _hashed(chunks, size, digest.update))
                checksum = _expect(Checksum(digest.digest()), expected)
                self._check_writable_header(checksum, header)
                if self.has_own_content(checksum):
                    self._give_back(size)
                    return Written(checksum, False)
                return Written(checksum, self._publish(tmp, checksum, header, size))

    def write_file_content(self, header: FileHeader, file: InputFile, *, size: int) -> Written:
        """Store `size` bytes of an open file, sharing its blocks where that is possible."""
        return self.write_content(header, file.chunks(), size=size)

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
                self._write_stream(tmp, header, size, _hashed(chunks, size, _ignore))
                return self._publish(tmp, checksum, header)

    def delete(self, name: ObjectName) -> None:
        """Remove a published object.

        Raises:
            OSError: it does not exist, or may not be removed.
        """
        with doing(f"Deleting object {name}"):
            self.objects.remove(self.path_of(name))

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
        return tmp.link(self._destination(), loose_path(checksum, self._extension))

    # -- what a mode decides -------------------------------------------------------------

    def _check_writable_header(self, checksum: Checksum, header: FileHeader) -> None:  # noqa: B027
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


def _expect(actual: Checksum, expected: Checksum | None) -> Checksum:
    if expected is not None and actual != expected:
        raise ChecksumMismatchError("file", str(expected), str(actual))
    return actual


class _Update(Protocol):
    def __call__(self, data: bytes, /) -> None: ...


def _ignore(_data: bytes, /) -> None:
    """Stand in for a digest's update where nothing is verified."""


def _hashed(chunks: Iterable[bytes], size: int, update: _Update) -> Iterator[bytes]:
    left = size
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise FormatError(f"Content is longer than the {size} bytes its header says")
        update(chunk)
        yield chunk
    if left:
        raise FormatError(f"Unexpected EOF with {left}/{size} bytes remaining")
