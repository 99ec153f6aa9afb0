"""`LooseObjects`: finding the objects of a repository, reading and writing metadata objects."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

from pyostree.errors import (
    ChecksumMismatchError,
    FormatError,
    ObjectNotFoundError,
    UnsupportedError,
    doing,
)
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, loose_path
from pyostree.fs.dir import Dir
from pyostree.fs.file import read_whole
from pyostree.fs.tempfile import TempFile
from pyostree.repo.config_values import Tristate
from pyostree.repo.store.listing import iter_loose, iter_loose_commits
from pyostree.repo.store.records import SpaceBudget, StoreSettings, Written
from pyostree.repo.store.structure import check_structure

if TYPE_CHECKING:
    from pyostree.repo.store.base import ObjectStore


class LooseObjects:
    """The files below ``objects/`` of one repository, and its metadata objects.

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
        self._can_seal = True
        self._extension = settings.mode.content_extension

    # -- finding -------------------------------------------------------------------------

    def path_of(self, name: ObjectName) -> str:
        """Return the path of a loose object below ``objects/`` or a staging directory."""
        if name.type is ObjectType.FILE:
            return loose_path(name.checksum, self._extension)
        return loose_path(name.checksum, name.type.extension)

    def check_space(self, size_bytes: int) -> None:
        """Raise `FreeSpaceError` if so much does not fit now."""
        if self.budget is not None:
            self.budget.check(size_bytes)

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

    def is_published(self, name: ObjectName) -> bool:
        """As `has`, leaving out what the running transaction has staged."""
        if self.objects.exists(self.path_of(name)):
            return True
        return self.parent is not None and self.parent.has(name)

    def published_names(self, prefix: str) -> frozenset[str]:
        """Return the names of what one directory of published objects holds; see `loose_path`."""
        try:
            with self.objects.open_dir(prefix) as directory:
                return frozenset(directory.list())
        except FileNotFoundError:
            return frozenset()

    def places(self) -> tuple[Dir, ...]:
        """Return the directories in which objects of this repository may lie."""
        return (self.objects,) if self.staging is None else (self.objects, self.staging)

    def object_size(self, name: ObjectName) -> int:
        """Return the size in bytes of the loose object.

        Raises:
            OSError: it does not exist.
        """
        path = self.path_of(name)
        for place in self.places():
            status = place.try_stat(path)
            if status is not None:
                return status.st_size
        if self.parent is not None:
            return self.parent.object_size(name)
        err = OSError(errno.ENOENT, "No such file or directory")
        err.add_note(f"Querying object {name}")
        raise err

    def check_size(self, name: ObjectName) -> None:
        """Raise `FormatError` when a metadata object has more bytes than may be read."""
        limit = self.settings.max_metadata_bytes
        if limit is not None and (size := self.object_size(name)) > limit:
            raise FormatError(f"{name} is {size} bytes, exceeding maximum {limit}")

    def iter_objects(self) -> Iterator[ObjectName]:
        """Yield the published objects of this repository, in no particular order."""
        return iter_loose(self.objects, self._extension)

    def iter_commits(self, prefix: str = "") -> Iterator[Checksum]:
        """Yield commit objects whose textual checksum starts with `prefix`, the parent's too."""
        seen = set()
        for commit in iter_loose_commits(self.objects, prefix):
            seen.add(commit)
            yield commit
        if self.parent is not None:
            for checksum in self.parent.iter_commits(prefix):
                if checksum not in seen:
                    yield checksum

    def delete(self, name: ObjectName) -> None:
        """Remove a published object.

        Raises:
            OSError: it does not exist, or may not be removed.
        """
        with doing(f"Deleting object {name}"):
            self.objects.remove(self.path_of(name))

    # -- metadata ------------------------------------------------------------------------

    def read_metadata(self, name: ObjectName) -> bytes:
        """Return the bytes of a metadata object.

        Raises:
            ObjectNotFoundError: neither this repository nor a parent has it.
        """
        path = self.path_of(name)
        for place in self.places():
            try:
                return read_whole(place, path, max_bytes=self.settings.max_metadata_bytes)
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
            destination = self.objects if direct else self.destination()
            if self.settings.fsync and destination is self.objects:
                tmp.sync()  # no transaction will do so before the name is seen
            return self.publish_file(tmp, destination, path)

    def read_detached(self, checksum: Checksum) -> bytes | None:
        """Return the encoded detached metadata of a commit, or None when there is none."""
        path = loose_path(checksum, "commitmeta")
        for place in reversed(self.places()):
            try:
                limit = self.settings.max_metadata_bytes
                return place.read_file(path, max_bytes=limit, follow=False)
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
            destination = self.destination()
            path = loose_path(checksum, "commitmeta")
            is_final = self.settings.fsync and destination is self.objects
            if is_final:
                tmp.sync()
            tmp.link_replacing(destination, path, work=self.temp)
            if is_final:
                destination.sync_dir(path[:2])

    def publish_file(self, tmp: TempFile, destination: Dir, path: str) -> bool:
        """Give a finished object its name, sealed if that is wanted; tell whether it is new.

        Raises:
            UnsupportedError: sealing is demanded, and impossible here.
        """
        wanted = self.settings.fsverity
        if wanted is not Tristate.NO and self._can_seal and not tmp.seal():
            if wanted is Tristate.YES:
                raise UnsupportedError("fsverity required but filesystem does not support it")
            self._can_seal = False  # nor will it be able to do so for the next
        return tmp.link(destination, path)

    def destination(self) -> Dir:
        """Return the directory that new objects go to."""
        return self.objects if self.staging is None else self.staging
