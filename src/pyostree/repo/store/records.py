"""What goes into an object store and comes out of it, beside the objects themselves."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pyostree.formats.objects import Checksum
from pyostree.repo.modes import RepoMode

Buffer = bytes | memoryview


class StoreSettings(NamedTuple):
    """What of the configuration concerns storing objects.

    Attributes:
        zlib_level: deflate level 1 to 9 of mode archive.
        disable_xattrs: bare repositories neither write nor read xattrs of files.
        sync_objects: each content object is synced before it gets its name.
    """

    mode: RepoMode
    zlib_level: int = 6
    disable_xattrs: bool = False
    sync_objects: bool = False


class SpaceBudget(Protocol):
    """Refuses content that would use up the space to be kept free."""

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
