"""Transactions: objects collect in a staging directory, refs in memory; `commit` publishes both.

The order makes a crash harmless: data reaches the disk, objects get their names, the names reach
the disk, refs are written last. An abort keeps the staged objects for the next attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pyostree.errors import FreeSpaceError, OstreeError, TransactionError
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.formats.refspec import CollectionRef, Refspec, parse_refspec
from pyostree.fs.kernel import syncfs
from pyostree.progress import UNWATCHED, Watch
from pyostree.repo.forced_errors import is_forced
from pyostree.repo.free_space import FreeSpace
from pyostree.repo.publish import publish_objects
from pyostree.repo.staging import Staging, clean_tmp, open_staging

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo


class TransactionStats:
    """Counts of one transaction; "total" counts every attempt to write.

    Attributes:
        watch: is told of every object, and may cancel while they are counted.
    """

    __slots__ = (
        "content_bytes_written",
        "content_objects_total",
        "content_objects_written",
        "devino_cache_hits",
        "metadata_objects_total",
        "metadata_objects_written",
        "watch",
    )

    def __init__(self, watch: Watch = UNWATCHED) -> None:
        self.watch = watch
        self.metadata_objects_total = 0
        self.metadata_objects_written = 0
        self.content_objects_total = 0
        self.content_objects_written = 0
        self.content_bytes_written = 0
        self.devino_cache_hits = 0

    def count_metadata(self, *, is_new: bool) -> None:
        """Count one metadata object that was written or found."""
        self.metadata_objects_total += 1
        self.metadata_objects_written += is_new
        self.watch.check()

    def count_content(self, size: int, *, is_new: bool) -> None:
        """Count one content object that was written or found; `size` in bytes."""
        self.content_objects_total += 1
        if is_new:
            self.content_objects_written += 1
            self.content_bytes_written += size
        self.watch.advance(1, size)

    def count_cache_hit(self, size: int = 0) -> None:
        """Count one content object that was known by its inode, unread; `size` in bytes."""
        self.devino_cache_hits += 1
        self.watch.advance(1, size)


class Transaction:
    """One running transaction; made by `Repo.transaction`.

    As a context manager it commits on success and aborts on any error.

    Attributes:
        stats: what was written so far.
        is_resuming: the staging directory holds objects of an interrupted transaction.
    """

    def __init__(self, repo: Repo, watch: Watch = UNWATCHED) -> None:
        self._repo = repo
        self._is_open = False
        self._collection_refs: dict[CollectionRef, Checksum | None] = {}
        self._after_commit: list[Callable[[], None]] = []
        self._staging: Staging | None = None
        self._space: FreeSpace | None = None
        self.stats = TransactionStats(watch)
        self.is_resuming = False
        self.updates_summary = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_open:
            return
        if kind is None:
            self.commit()
            return
        if isinstance(value, FreeSpaceError) and self._space is not None:
            self._space.is_exceeded = True  # a helper process may have found out
        self.abort()

    def begin(self) -> None:
        """Take the lock and a staging directory."""
        repo = self._repo
        repo.lock.acquire(exclusive=False, watch=self.stats.watch)
        try:
            self._space = FreeSpace(repo.dir, repo.config)
            staging = open_staging(repo.tmp, repo.boot_id)
        except BaseException:
            repo.lock.release(exclusive=False)
            raise
        self._staging = staging
        self._is_open = True
        self.is_resuming = staging.is_reused
        store = repo.store
        store.budget = self._space
        store.temp = staging.directory
        if repo.fsync and not repo.config.per_object_fsync:
            store.staging = staging.directory
        elif staging.is_reused:
            # Objects of an earlier run with other settings must be found, and published, too.
            store.staging = staging.directory

    def set_ref(self, refspec: Refspec | str, checksum: Checksum | None) -> None:
        """Set (or, with None, delete) a ref when the transaction commits."""
        parsed = parse_refspec(refspec) if isinstance(refspec, str) else refspec
        self._repo.refs.pending[parsed] = checksum

    def set_collection_ref(self, ref: CollectionRef, checksum: Checksum | None) -> None:
        """Set or delete a collection's ref when the transaction commits."""
        self._collection_refs[ref] = checksum

    def collection_ref(self, ref: CollectionRef) -> Checksum | None:
        """Return the pending value of a collection's ref."""
        return self._collection_refs.get(ref)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Have something done once everything is published; after an abort it never is."""
        self._after_commit.append(action)

    def commit(self) -> TransactionStats:
        """Publish everything.

        Raises:
            TransactionError: it is not open, or the test hook asked for a failure.
        """
        if not self._is_open:
            raise TransactionError("Failed to commit transaction, no transaction in progress")
        with ExitStack() as on_error:
            on_error.callback(self.abort)
            self._publish()
            on_error.pop_all()
        return self.stats

    def _publish(self) -> None:
        repo = self._repo
        staging = self._staging
        assert staging is not None
        if is_forced("pre-commit"):
            raise TransactionError("OSTREE_REPO_TEST_ERROR_PRE_COMMIT specified")
        if not self._changes_nothing(staging):
            if repo.fsync:
                syncfs(repo.dir)
            publish_objects(
                staging.directory,
                repo.store.objects,
                sync=repo.fsync,
                is_own=not staging.is_reused,
            )
        staging.delete()
        self._leave_staging()
        self._clean_tmp()
        wrote_refs = self._write_refs()
        self._close()
        if wrote_refs and self.updates_summary:
            repo.refs_changed()
        for action in self._after_commit:
            action()

    def _changes_nothing(self, staging: Staging) -> bool:
        """Tell whether there is nothing to publish and nothing that must be durable after this."""
        stats = self.stats
        was_used = stats.metadata_objects_written or stats.content_objects_written
        has_refs = bool(self._repo.refs.pending or self._collection_refs)
        if was_used or has_refs or self._after_commit or staging.is_reused:
            return False
        return not staging.directory.list()

    def _write_refs(self) -> bool:
        repo = self._repo
        pending = dict(repo.refs.pending)
        repo.refs.pending.clear()
        for refspec, checksum in pending.items():
            repo.refs.write(refspec, checksum, sync=repo.fsync)
        for ref, checksum in self._collection_refs.items():
            repo.refs.write_collection(
                ref, checksum, own_id=repo.config.collection_id, sync=repo.fsync
            )
        return bool(pending or self._collection_refs)

    def abort(self) -> None:
        """Forget the refs; staged objects stay for the next transaction. Twice does nothing."""
        if not self._is_open:
            return
        self._repo.refs.pending.clear()
        self._collection_refs.clear()
        try:
            self._leave_staging()
            self._clean_tmp()
        except (OSError, OstreeError):
            # The error that led here matters more than rubbish left behind.
            pass
        finally:
            self._close()

    def _leave_staging(self) -> None:
        store = self._repo.store
        store.staging = None
        store.temp = self._repo.tmp
        store.budget = None
        staging, self._staging = self._staging, None
        if staging is not None:
            staging.release()

    def _clean_tmp(self) -> None:
        repo = self._repo
        is_full = self._space is not None and self._space.is_exceeded
        clean_tmp(
            repo.tmp,
            repo.boot_id,
            expiry_s=repo.config.tmp_expiry_s,
            drop_own=is_full,
            is_stored=lambda checksum: repo.store.has(ObjectName(checksum, ObjectType.FILE)),
        )

    def _close(self) -> None:
        self._is_open = False
        self._repo.transaction_ended()
        try:
            self._repo.dir.remove("transaction", missing_ok=True)  # left by very old versions
        finally:
            self._repo.lock.release(exclusive=False)
