"""Supplying a pull from a repository on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from pyostree.errors import ObjectNotFoundError, OstreeError
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.pull.background import Background
from pyostree.pull.job import PullJob
from pyostree.repo.import_objects import Imported, Importer
from pyostree.repo.processes import SharedWork, Sharing, may_fork
from pyostree.repo.repo import Repo

if TYPE_CHECKING:
    from pyostree.pull.supplier import Start
    from pyostree.pull.walk import Walker

_BATCH = 64
_MAX_BATCHES = 8


class LocalObjects:
    """Copies content from local repositories in the background, by threads.

    Used for the caches beside a network source, and where no process can be forked.
    """

    def __init__(self, job: PullJob) -> None:
        self._job = job
        self._background: Background[list[Imported]] = Background(
            job.pool, partial(_count, job), max_jobs=_MAX_BATCHES
        )
        self._batch: list[tuple[Importer, ObjectName]] = []

    def add(self, importer: Importer, name: ObjectName) -> None:
        """Copy a content object, sometime before `finish` returns."""
        self._job.progress.content_wanted += 1
        self._batch.append((importer, name))
        if len(self._batch) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Start copying what was added."""
        if self._batch:
            batch, self._batch = self._batch, []
            self._background.submit(lambda: [one.import_object(name) for one, name in batch])
            self._job.progress.writes = len(self._background) * _BATCH

    def finish(self) -> None:
        """Wait until everything is copied."""
        self.flush()
        self._background.wait_for_all()

    def salvage(self) -> None:
        """Wait for what is under way, whatever becomes of it."""
        self._batch = []
        self._background.salvage()

    def close(self) -> None:
        """Do nothing: the threads end with the pool."""


class _SharedObjects:
    """Copies content from a local repository, beside helper processes."""

    def __init__(self, job: PullJob, importer: Importer) -> None:
        self._job = job
        self._importer = importer
        self._batch: list[Checksum] = []
        sharing = Sharing(self._copy, _pack, self._copy_packed)
        self._shared: SharedWork[list[Checksum], list[Imported]] = SharedWork(
            sharing, lambda _, results: _count(job, results)
        )

    def add(self, name: ObjectName) -> None:
        """Copy a content object, sometime before `finish` returns."""
        self._job.progress.content_wanted += 1
        self._batch.append(name.checksum)
        if len(self._batch) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if batch:
            self._shared.submit(batch)

    def finish(self) -> None:
        """Wait until everything is copied."""
        with self._shared:
            self._flush()
            self._shared.finish()

    def salvage(self) -> None:
        """Wait for what is under way, whatever becomes of it."""
        with suppress(OstreeError, OSError), self._shared:
            self._shared.finish()

    def close(self) -> None:
        """End the helpers at once."""
        self._shared.kill()

    def _copy(self, batch: list[Checksum]) -> list[Imported]:
        copy = self._importer.import_object
        return [copy(ObjectName(checksum, ObjectType.FILE)) for checksum in batch]

    def _copy_packed(self, batch: list[bytes], _: list[int]) -> list[Imported]:
        return self._copy([Checksum(digest) for digest in batch])


def _pack(batch: list[Checksum]) -> tuple[list[bytes], list[int]]:
    return [bytes(checksum) for checksum in batch], []


def _count(job: PullJob, results: Sequence[Imported]) -> None:
    job.progress.content_local += len(results)
    for result in results:
        job.transaction.stats.count_content(result.bytes_written, is_new=result.is_new)


class LocalSupplier:
    """Takes objects from `source`.

    Attributes:
        walker: to be set before anything is asked for.
    """

    walker: Walker

    def __init__(
        self, job: PullJob, source: Repo, importer: Importer, *, has_tombstones: bool
    ) -> None:
        self._repo = job.repo
        self._source = source
        self._importer = importer
        self._objects: LocalObjects | _SharedObjects
        self._add: Callable[[ObjectName], None]
        if may_fork():
            self._objects = shared = _SharedObjects(job, importer)
            self._add = shared.add
        else:
            self._objects = local = LocalObjects(job)
            self._add = partial(local.add, importer)
        self._progress = job.progress
        self._signatures = job.signatures
        self._has_tombstones = has_tombstones

    def begin(self, start: Start) -> None:
        """Walk a commit; deltas would only be a detour."""
        self.walker.add_commit(start.target, start.depth)

    def get_commit(self, checksum: Checksum) -> None:
        """Copy a commit with its detached metadata."""
        name = ObjectName(checksum, ObjectType.COMMIT)
        if not self._source.store.has(name):
            self._skip_missing(name)
            return
        if self._signatures.are_demanded:
            self._progress.metadata_wanted += 1
            self._signatures.copy_commit(self._source, self._repo, checksum)
            self._progress.metadata_local += 1
            self.walker.arrived(name)
            return
        # Before the commit itself: a crash must not leave it looking complete.
        self._repo.mark_partial(checksum)
        self._import(name)

    def _skip_missing(self, name: ObjectName) -> None:
        if not self.walker.may_be_missing(name):
            raise ObjectNotFoundError(f"No such metadata object {name}")
        self.walker.give_up(name)
        if self._has_tombstones:
            self._importer.import_object(ObjectName(name.checksum, ObjectType.TOMBSTONE_COMMIT))

    def get_detached(self, checksum: Checksum) -> None:
        """Copy the detached metadata of a commit that is here already."""
        data = self._source.store.read_detached(checksum)
        if data is not None:
            self._progress.bytes_transferred += len(data)
            self._signatures.check_detached(self._repo, checksum, data)
            self._repo.store.write_detached(checksum, data)
        self.walker.arrived(ObjectName(checksum, ObjectType.COMMIT))

    def get_metadata(self, name: ObjectName) -> None:
        """Copy a dirtree or dirmeta."""
        self._import(name)

    def _import(self, name: ObjectName) -> None:
        self._progress.metadata_wanted += 1
        self._importer.import_object(name)
        self._progress.metadata_local += 1
        self.walker.arrived(name)

    def get_content(self, checksum: Checksum) -> None:
        """Copy a file."""
        self._add(ObjectName(checksum, ObjectType.FILE))

    def wanted_content(self) -> tuple[Checksum, ...]:
        """Return nothing: what is copied has no size of a transfer."""
        return ()

    def step(self) -> bool:
        """Let the walk go on; at its end wait for what is under way."""
        if self.walker.has_work:
            return True
        self._objects.finish()
        return False

    def salvage(self) -> None:
        """After an error: let what is under way end."""
        self._objects.salvage()

    def close(self) -> None:
        """End what still runs, as after an interrupt."""
        self._objects.close()
