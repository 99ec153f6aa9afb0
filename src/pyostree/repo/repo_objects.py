"""`RepoObjects`: the objects of a repository, decoded, and what is noted about its commits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pyostree.errors import OstreeError
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.fs.dir import Dir

if TYPE_CHECKING:
    from pyostree.formats.commit import Commit, Metadata
    from pyostree.formats.dirmeta import Dirmeta
    from pyostree.formats.dirtree import Dirtree
    from pyostree.repo.repo import Repo
    from pyostree.repo.store.base import ObjectStore
    from pyostree.repo.transaction import Transaction

T = TypeVar("T")

_MAX_MARK_BYTES = 16 << 20


class RepoObjects(ABC):
    """Reads and writes the metadata objects of one repository; `Repo` is its only kind.

    Attributes:
        dir: the repository's directory.
        parent: repository consulted for what is missing here.
        tmp: where files begin.
    """

    dir: Dir
    tmp: Dir
    parent: Repo | None
    _transaction: Transaction | None

    @property
    @abstractmethod
    def store(self) -> ObjectStore:
        """The objects as they are stored."""

    def load_commit(self, checksum: Checksum) -> Commit:
        """Return a decoded commit object.

        Raises:
            ObjectNotFoundError: it is not in the repository.
            FormatError: it is damaged.
        """
        from pyostree.formats.commit import decode_commit

        return self._load(ObjectName(checksum, ObjectType.COMMIT), decode_commit)

    def load_dirtree(self, checksum: Checksum) -> Dirtree:
        """Return a decoded dirtree object (errors as `load_commit`)."""
        from pyostree.formats.dirtree import decode_dirtree

        return self._load(ObjectName(checksum, ObjectType.DIRTREE), decode_dirtree)

    def load_dirmeta(self, checksum: Checksum) -> Dirmeta:
        """Return a decoded dirmeta object (errors as `load_commit`)."""
        from pyostree.formats.dirmeta import decode_dirmeta

        return self._load(ObjectName(checksum, ObjectType.DIRMETA), decode_dirmeta)

    def _load(self, name: ObjectName, decode: Callable[[bytes], T]) -> T:
        data = self.store.read_metadata(name)
        try:
            return decode(data)
        except OstreeError as err:
            err.add_note(str(name))  # the decoder does not know what it reads
            raise

    def write_metadata(
        self, kind: ObjectType, data: bytes, *, expected: Checksum | None = None
    ) -> Checksum:
        """Store a metadata object and count it (see `ObjectStore.write_metadata`)."""
        written = self.store.write_metadata(kind, data, expected=expected)
        if self._transaction is not None:
            self._transaction.stats.count_metadata(is_new=written.is_new)
        return written.checksum

    def read_detached_metadata(self, checksum: Checksum) -> Metadata | None:
        """Return the detached metadata of a commit, or None when there is none."""
        from pyostree.formats.commit import decode_metadata

        data = self.store.read_detached(checksum)
        return None if data is None else decode_metadata(data)

    def write_detached_metadata(self, checksum: Checksum, metadata: Metadata | None) -> None:
        """Set the detached metadata of a commit; None leaves an empty file."""
        from pyostree.formats.commit import encode_metadata

        data = b"" if metadata is None else encode_metadata(metadata)
        self.store.write_detached(checksum, data)

    # -- partial commits -----------------------------------------------------------------

    def is_partial(self, checksum: Checksum) -> bool:
        """Tell whether objects of the commit may be missing."""
        if self.dir.exists(_partial_path(checksum)):
            return True
        if self.parent is None or self.store.has_own(ObjectName(checksum, ObjectType.COMMIT)):
            return False
        return self.parent.is_partial(checksum)

    def partial_reason(self, checksum: Checksum) -> bytes:
        """Return the content of the marker: ``b"f"`` when a check found objects missing."""
        try:
            return self.dir.read_file(_partial_path(checksum), max_bytes=_MAX_MARK_BYTES)
        except FileNotFoundError:
            return b""

    def mark_partial(self, checksum: Checksum, reason: bytes = b"") -> None:
        """Note that objects of the commit may be missing; an existing mark stays as it is."""
        self.dir.make_dir("state", 0o775, exist_ok=True)
        if not reason:
            self.dir.create_file(_partial_path(checksum))
            return
        from pyostree.fs.tempfile import TempFile

        with TempFile(self.tmp) as tmp:  # a crash must not leave the mark without its reason
            tmp.write(reason)
            tmp.set_mode(0o644)
            tmp.link(self.dir, _partial_path(checksum))

    def clear_partial(self, checksum: Checksum) -> None:
        """Note that all objects of the commit are there."""
        self.dir.remove(_partial_path(checksum), missing_ok=True)


def _partial_path(checksum: Checksum) -> str:
    return f"state/{checksum}.commitpartial"
