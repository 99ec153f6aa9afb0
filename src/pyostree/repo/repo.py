"""`Repo`: an open repository, the hub through which everything else reaches it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Self, TypeVar

from pyostree.closing import Closing
from pyostree.errors import FormatError, TransactionError, doing
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.objects import (
    MAX_METADATA_BYTES,
    Checksum,
)
from pyostree.formats.refspec import Refspec, check_collection_id
from pyostree.fs.dir import Dir
from pyostree.repo.config import CONFIG_NAME, NO_LOCKING, interpret_config, parse_config
from pyostree.repo.lock import RepoLock
from pyostree.repo.modes import RepoMode
from pyostree.repo.refs import Refs, not_found
from pyostree.repo.repo_objects import RepoObjects
from pyostree.repo.revisions import resolve_rev
from pyostree.repo.staging import CACHE_NAME
from pyostree.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from pyostree.repo.store.base import ObjectStore
    from pyostree.repo.store.records import StoreSettings
    from pyostree.repo.transaction import Transaction

T = TypeVar("T")

_MAX_CONFIG_BYTES = 16 << 20
_MAX_FOREIGN_CONFIG_BYTES = 1 << 20
_MAX_PARENTS = 16


class Repo(RepoObjects, Closing):
    """An open repository; a context manager.

    Attributes:
        dir: the repository's directory.
        path: as given when it was opened.
        config: parsed ``config``.
        refs: its refs.
        parent: repository consulted for what is missing here.
        writable: whether the real user may write to ``objects/``.
        fsync: whether data is synced; starts as configured, `disable_fsync` switches it off.
        sysroot_dir: root of the sysroot through which the repository was opened, if any.
    """

    def __init__(
        self,
        directory: Dir,
        path: str,
        *,
        sysroot_dir: Dir | None = None,
        depth: int = 0,
        is_foreign: bool = False,
        is_writable: bool = True,
    ) -> None:
        self.dir = directory
        self.path = path
        self.sysroot_dir = sysroot_dir
        self._is_foreign = is_foreign
        self._max_metadata_bytes = MAX_METADATA_BYTES if is_foreign else None
        self._may_write = is_writable
        self._transaction: Transaction | None = None
        self._resources: list[Dir] = [directory]
        try:
            self._open(depth)
        except BaseException:
            self.close()
            raise

    def _open(self, depth: int) -> None:
        self.boot_id = os.environ.get("OSTREE_BOOTID") or _read_boot_id()
        follow = not self._is_foreign
        objects = self._keep(self.dir.open_dir("objects", follow=follow))
        self.writable = self._may_write and self.dir.is_writable("objects")
        self.config = parse_config(self._read_config())
        self.tmp = self._open_tmp()
        # Where what will be renamed begins, so that a crash leaves it where it is cleaned up.
        self._work = self.tmp if self.writable else None
        self.parent = self._open_parent(depth)
        self.fsync = self.config.fsync
        self._objects = objects
        self._store: ObjectStore | None = None
        self.refs = Refs(self.dir, self._work)
        timeout_s = self.config.lock_timeout_s
        self.lock = RepoLock(
            self.dir,
            timeout_s=timeout_s,
            enabled=self.writable and self.config.locking and timeout_s != NO_LOCKING,
        )

    def _read_config(self) -> bytes:
        if self._is_foreign:
            limit = _MAX_FOREIGN_CONFIG_BYTES
            return self.dir.read_file(CONFIG_NAME, max_bytes=limit, follow=False)
        return self.dir.read_regular(CONFIG_NAME, max_bytes=_MAX_CONFIG_BYTES)

    @property
    def store(self) -> ObjectStore:
        """The objects; opened at the first use, since looking up a ref needs none."""
        if self._store is None:
            from pyostree.repo.store import open_store

            parent_store = None if self.parent is None else self.parent.store
            self._store = open_store(self._objects, self._settings(), parent_store)
            self._store.temp = self.tmp
        return self._store

    def _keep(self, directory: Dir) -> Dir:
        self._resources.append(directory)
        return directory

    def _settings(self) -> StoreSettings:
        from pyostree.repo.store.records import StoreSettings

        return StoreSettings(
            mode=self.config.mode,
            zlib_level=self.config.zlib_level,
            disable_xattrs=self.config.disable_xattrs,
            sync_objects=self.config.per_object_fsync and self.fsync,
            fsync=self.fsync,
            payload_link_min_bytes=self.config.payload_link_min_bytes,
            fsverity=self.config.fsverity,
            writes_split_xattrs="OSTREE_EXP_WRITE_BARE_SPLIT_XATTRS" in os.environ,
            max_metadata_bytes=self._max_metadata_bytes,
        )

    def _open_tmp(self) -> Dir:
        if self.writable:
            self.dir.make_dir("tmp", 0o775, exist_ok=True)
        elif self._is_foreign or not self.dir.is_dir("tmp"):
            return self._keep(self.dir.duplicate())  # never written to: the repository is read-only
        tmp = self._keep(self.dir.open_dir("tmp", follow=not self._is_foreign))
        if self.writable and "OSTREE_SKIP_CACHE" not in os.environ:
            tmp.make_dir(CACHE_NAME, 0o775, exist_ok=True)
        return tmp

    def _open_parent(self, depth: int) -> Repo | None:
        path = self.config.parent
        if path is None or self._is_foreign:
            return None
        with doing(f"While checking parent repository '{path}'"), doing("opening repo"):
            if depth >= _MAX_PARENTS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            return Repo(Dir.at(path), path, depth=depth + 1)

    # -- opening and creating ------------------------------------------------------------

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open the repository at `path`.

        Raises:
            OSError: a part of it is missing or unreadable.
            ConfigError: its configuration has a wrong value.
        """
        text = os.fspath(path)
        text = os.path.abspath(text) if text else ""  # that never means the current directory
        with doing("opening repo"):
            return cls(Dir.at(text), text)

    @classmethod
    def open_source(cls, path: str | os.PathLike[str]) -> Self:
        """Do what `open` does, to take objects from there: metadata objects are limited in size."""
        source = cls.open(path)
        source._limit_metadata()
        return source

    def _limit_metadata(self) -> None:
        self._max_metadata_bytes = MAX_METADATA_BYTES
        if self.parent is not None:
            self.parent._limit_metadata()

    @classmethod
    def open_foreign(cls, directory: Dir, path: str, *, is_writable: bool = False) -> Self:
        """Open a repository that somebody else has made, such as on a stick, to read from it.

        Nothing in it is written to, no symbolic link in place of its files is followed, no parent
        repository that it names is opened, and metadata objects are limited in size.

        Args:
            directory: the repository itself, which closes it from now on.
            path: where it lies.
            is_writable: whether it may be written to; it has been checked then that no directory in
                it leads elsewhere.

        Raises:
            OSError: a part of it is missing or unreadable.
            ConfigError, FormatError: its configuration has a wrong value.
        """
        with doing("opening repo"):
            return cls(directory, path, is_foreign=True, is_writable=is_writable)

    @classmethod
    def open_below(cls, directory: Dir, name: str, *, sysroot_dir: Dir | None = None) -> Self:
        """Open the repository `name` below `directory`, as a sysroot does."""
        opened = directory.open_dir(name)
        return cls(opened, opened.label, sysroot_dir=sysroot_dir)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        mode: RepoMode = RepoMode.BARE,
        *,
        collection_id: str | None = None,
    ) -> Self:
        """Create a repository, or open the one that is at `path` already, unchanged.

        Raises:
            OSError: the parent directory is missing, or may not be written to.
            InvalidNameError: a bad collection ID.
        """
        text = os.path.abspath(os.fspath(path))
        from pyostree.repo.layout import create_layout

        if collection_id is not None:
            check_collection_id(collection_id)
        with doing("Creating repo"):
            with Dir.at("/") as root:
                create_layout(root, text.lstrip("/"), mode, collection_id)
            return cls(Dir.at(text), text)

    @classmethod
    def create_below(cls, directory: Dir, name: str, mode: RepoMode = RepoMode.BARE) -> Self:
        """Create the repository `name` below `directory`."""
        from pyostree.repo.layout import create_layout

        with doing("Creating repo"):
            create_layout(directory, name, mode, None)
        return cls.open_below(directory, name)

    def close(self) -> None:
        """Abort a running transaction and close all handles."""
        if self._transaction is not None:
            self._transaction.abort()
        for directory in reversed(self._resources):
            directory.close()
        if getattr(self, "parent", None) is not None:
            assert self.parent is not None
            self.parent.close()

    @property
    def mode(self) -> RepoMode:
        """How content objects are stored."""
        return self.config.mode

    @property
    def stores_xattrs(self) -> bool:
        """Whether content objects keep the xattrs that a commit gives them."""
        if self.mode is RepoMode.BARE:
            return not self.config.disable_xattrs
        return self.mode is not RepoMode.BARE_USER_ONLY

    def check_writable(self) -> None:
        """Raise `PermissionError` when the repository may not be written to."""
        if not self.writable:
            err = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            err.add_note("Cannot write to repository")
            raise err

    def disable_fsync(self) -> None:
        """Stop syncing for as long as the repository is open."""
        self.fsync = False
        self.store.settings = self._settings()

    def sync_each_object(self) -> None:
        """Sync every content object on its own, as ``core/per-object-fsync`` does."""
        self.config = self.config._replace(per_object_fsync=True)
        self.store.settings = self._settings()

    def write_config(self, keyfile: KeyFile) -> None:
        """Replace ``config`` by `keyfile` after checking it, and use it from now on."""
        config = interpret_config(keyfile)
        data = keyfile.encode()
        if len(data) > _MAX_CONFIG_BYTES:  # more would be refused when it is read
            raise FormatError(f"A configuration may have {_MAX_CONFIG_BYTES} bytes")
        self.dir.replace_file(CONFIG_NAME, data, sync=self.fsync, work=self._work)
        self.config = config

    # -- transactions --------------------------------------------------------------------

    def transaction(self, watch: Watch = UNWATCHED) -> Transaction:
        """Begin a transaction; `watch` hears of the objects that it counts.

        Raises:
            TransactionError: another one is in progress.
        """
        from pyostree.repo.transaction import Transaction

        if self._transaction is not None:
            raise TransactionError(
                "Failed to prepare transaction, another transaction is in progress"
            )
        transaction = Transaction(self, watch)
        transaction.begin()
        self._transaction = transaction
        return transaction

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is running."""
        return self._transaction is not None

    def transaction_ended(self) -> None:
        """Called by the transaction when it is over."""
        self._transaction = None

    def refs_changed(self) -> None:
        """Update the summary if the configuration wants it to follow the refs."""
        if self.config.auto_update_summary():
            from pyostree.repo.summary import regenerate_summary

            regenerate_summary(self)

    def set_ref(self, refspec: Refspec, checksum: Checksum | None) -> None:
        """Write a ref at once, outside a transaction."""
        self.refs.write(refspec, checksum, sync=self.fsync)
        self.refs_changed()

    # -- revisions -----------------------------------------------------------------------

    def resolve(self, rev: str) -> Checksum:
        """Return the commit that a revision names.

        Args:
            rev: a checksum, the start of one, a ref or refspec, each with any number of ``^``.

        Raises:
            RefNotFoundError: there is no such ref.
            AmbiguousRevError: the start of a checksum fits several commits.
            InvalidNameError: it is no refspec.
        """
        found = self.resolve_or_none(rev)
        if found is None:
            raise not_found(rev)
        return found

    def resolve_or_none(self, rev: str, *, fallback: bool = True) -> Checksum | None:
        """Return what `resolve` does, or None when there is no such ref.

        Args:
            fallback: whether a ref without remote is also looked for in the remotes.
        """
        return resolve_rev(self, rev, fallback=fallback)

    def resolve_ref(self, refspec: Refspec, *, fallback: bool = True) -> Checksum | None:
        """Return the commit of a ref here or in the parent repository, or None."""
        found = self.refs.read(refspec, fallback=fallback)
        if found is None and self.parent is not None:
            return self.parent.resolve_ref(refspec, fallback=fallback)
        return found


def _read_boot_id() -> str:
    with Dir.at("/proc/sys/kernel/random") as directory:
        return directory.read_file("boot_id").decode().strip()
