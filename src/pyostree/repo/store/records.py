"""What goes into an object store and comes out of it, beside the objects themselves."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pyostree.errors import OstreeError
from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.repo.config_values import NO_PAYLOAD_LINKS, Tristate
from pyostree.repo.modes import RepoMode

Buffer = bytes | memoryview


class StoreSettings(NamedTuple):
    """What of the configuration concerns storing objects.

    Attributes:
        zlib_level: deflate level 1 to 9 of mode archive.
        disable_xattrs: bare repositories neither write nor read xattrs of files.
        sync_objects: each content object is synced before it gets its name.
        fsync: what is published at once, without a transaction's sync to come, is synced.
        payload_link_min_bytes: content of this size shares its blocks with equal content.
        fsverity: whether the kernel seals objects.
        writes_split_xattrs: an experiment of the reference is wanted, see `bare_split_xattrs`.
        max_metadata_bytes: a larger metadata object is refused; None for no limit.
    """

    mode: RepoMode
    zlib_level: int = 6
    disable_xattrs: bool = False
    sync_objects: bool = False
    fsync: bool = False
    writes_split_xattrs: bool = False
    payload_link_min_bytes: int = NO_PAYLOAD_LINKS
    fsverity: Tristate = Tristate.NO
    max_metadata_bytes: int | None = None


class SpaceBudget(Protocol):
    """Refuses content that would use up the space to be kept free."""

    def check(self, size_bytes: int) -> None: ...
    def take(self, size_bytes: int) -> None: ...
    def give_back(self, size_bytes: int) -> None: ...


class Written(NamedTuple):
    """Outcome of writing one object; `is_new` is False when the store had it."""

    checksum: Checksum
    is_new: bool


class ContentStat(NamedTuple):
    """Mode (with type bits) and size in bytes of a content object."""

    mode: int
    size: int


class Adoptable(NamedTuple):
    """A file that may itself become an object.

    Attributes:
        file: open, and read to be hashed.
        directory: where it has the name `name`.
        size: in bytes before it was read.
        mtime_ns: its modification time then.
    """

    file: InputFile
    directory: Dir
    name: str
    size: int
    mtime_ns: int

    def check_unchanged(self) -> None:
        """Raise unless it still is, as far as can be told, the file that was hashed."""
        status = self.file.status()
        is_same = (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)
        if not is_same or not self.file.is_named(self.directory, self.name):
            raise self.changed()

    def changed(self) -> OstreeError:
        """Return the error for a file that was changed or replaced meanwhile."""
        return OstreeError(f"{self.name} changed while it was committed")
