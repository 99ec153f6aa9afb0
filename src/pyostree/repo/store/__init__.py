"""Object stores, one class per repository mode.

`open_store` picks the class; `base` has what the modes share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyostree.repo.modes import RepoMode

if TYPE_CHECKING:
    from pyostree.fs.dir import Dir
    from pyostree.repo.store.base import ObjectStore
    from pyostree.repo.store.records import StoreSettings


def open_store(objects: Dir, settings: StoreSettings, parent: ObjectStore | None) -> ObjectStore:
    """Return the store of the mode that `settings` name, on the directory ``objects/``."""
    match settings.mode:
        case RepoMode.ARCHIVE:
            from pyostree.repo.store.archive import ArchiveStore

            return ArchiveStore(objects, settings, parent)
        case RepoMode.BARE:
            from pyostree.repo.store.bare import BareStore

            return BareStore(objects, settings, parent)
        case RepoMode.BARE_USER:
            from pyostree.repo.store.bare_user import BareUserStore

            return BareUserStore(objects, settings, parent)
        case RepoMode.BARE_USER_ONLY:
            from pyostree.repo.store.bare_user_only import BareUserOnlyStore

            return BareUserOnlyStore(objects, settings, parent)
        case RepoMode.BARE_SPLIT_XATTRS:
            from pyostree.repo.store.bare_split_xattrs import BareSplitXattrsStore

            return BareSplitXattrsStore(objects, settings, parent)
