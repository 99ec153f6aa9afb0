"""Supplying a pull over HTTP: what is asked for, what arrives, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pyostree.formats.objects import Checksum, ObjectName, ObjectType, loose_path
from pyostree.pull.content_queue import ContentQueue
from pyostree.pull.job import PullJob
from pyostree.pull.metadata import MetadataReceiver
from pyostree.remote.fetch import Completed, Fetcher, FetchRequest
from pyostree.remote.urls import BaseUrl

if TYPE_CHECKING:
    from pyostree.pull.caches import Cache
    from pyostree.pull.content import ContentReceiver, Stored
    from pyostree.pull.deltas import DeltaPull
    from pyostree.pull.local import LocalObjects
    from pyostree.pull.storing import ContentStorage
    from pyostree.pull.supplier import Start
    from pyostree.pull.walk import Walker

_METADATA_PRIORITY = -100
_POLL_S = 0.25
_SHORT_POLL_S = 0.02  # while heavy content waits for a helper


class Endpoint(NamedTuple):
    """Where a remote serves objects.

    Attributes:
        metadata: mirrors for detached metadata.
        content: mirrors for all other objects.
        max_metadata_bytes: limit for one metadata object; 0 for none.
        has_tombstones: the remote keeps tombstones of deleted commits.
    """

    metadata: tuple[BaseUrl, ...]
    content: tuple[BaseUrl, ...]
    max_metadata_bytes: int
    has_tombstones: bool


class NetworkSupplier:
    """Fetches objects with `fetcher`.

    Attributes:
        walker: to be set before anything is asked for.
        commit_bytes: sizes of commit objects that the summary tells.
        deltas: gets commits by static deltas; None to do without.
    """

    walker: Walker

    def __init__(
        self,
        job: PullJob,
        fetcher: Fetcher,
        endpoint: Endpoint,
        make_receiver: Callable[[], ContentReceiver],
        caches: Sequence[Cache] = (),
    ) -> None:
        self._repo = job.repo
        self._fetcher = fetcher
        self._endpoint = endpoint
        self._stats = job.transaction.stats
        self._progress = job.progress
        self._signatures = job.signatures
        self._metadata = MetadataReceiver(job, self._arrived)
        self._caches = tuple(caches)
        self._local = _local_objects(job) if caches else None
        self._pool = job.pool
        self._make_receiver = make_receiver
        self._storage: ContentStorage | None = None
        self._content = ContentQueue(fetcher, endpoint.content, job.repo)
        self._bytes_before = fetcher.bytes_transferred
        self.commit_bytes: dict[Checksum, int] = {}
        self.deltas: DeltaPull | None = None

    # -- what the walker asks for --------------------------------------------------------

    def begin(self, start: Start) -> None:
        """Get a commit, by a static delta where that is possible."""
        if self.deltas is None:
            self.walker.add_commit(start.target, start.depth)
        else:
            self.deltas.walker = self.walker
            self.deltas.begin(start)

    def get_commit(self, checksum: Checksum) -> None:
        """Fetch a commit, and its detached metadata: signatures are in there."""
        name = ObjectName(checksum, ObjectType.COMMIT)
        cache = self._find_cached(name)
        if cache is None:
            self.get_detached(checksum)
            self._request(name, self._endpoint.content)
        elif self._signatures.are_demanded:
            self._progress.metadata_wanted += 1
            self._signatures.copy_commit(cache.repo, self._repo, checksum)
            self._progress.metadata_local += 1
            self.walker.arrived(name)
        else:
            self._repo.mark_partial(checksum)
            self._copy_metadata(cache, name)

    def get_detached(self, checksum: Checksum) -> None:
        """Fetch detached metadata."""
        name = ObjectName(checksum, ObjectType.COMMITMETA)
        self._request(name, self._endpoint.metadata, optional=True)

    def get_metadata(self, name: ObjectName) -> None:
        """Fetch a dirtree or dirmeta."""
        cache = self._find_cached(name)
        if cache is None:
            self._request(name, self._endpoint.content)
        else:
            self._copy_metadata(cache, name)

    def get_content(self, checksum: Checksum) -> None:
        """Fetch a file."""
        name = ObjectName(checksum, ObjectType.FILE)
        cache = self._find_cached(name)
        if cache is not None:
            assert self._local is not None
            self._local.add(cache.importer, name)
            return
        self._progress.content_wanted += 1
        self._content.add(checksum)

    def wanted_content(self) -> Iterable[Checksum]:
        """Return the files that wait for the end of the scan."""
        return self._content

    def _request(
        self, name: ObjectName, bases: tuple[BaseUrl, ...], *, optional: bool = False
    ) -> None:
        limit = self._endpoint.max_metadata_bytes
        if name.type is ObjectType.COMMIT:
            known = self.commit_bytes.get(name.checksum, 0)
            limit = min(known, limit) if known and limit else known or limit
        self._progress.metadata_wanted += 1
        self._fetcher.submit(
            FetchRequest(
                f"objects/{loose_path(name.checksum, name.type.extension)}",
                bases,
                max_bytes=limit,
                priority=_METADATA_PRIORITY,
                optional=optional,
                tag=name,
                immutable=name.type is not ObjectType.COMMITMETA,
            )
        )

    def _find_cached(self, name: ObjectName) -> Cache | None:
        return next((cache for cache in self._caches if cache.repo.store.has(name)), None)

    def _copy_metadata(self, cache: Cache, name: ObjectName) -> None:
        self._progress.metadata_wanted += 1
        cache.importer.import_object(name)
        self._progress.metadata_local += 1
        self.walker.arrived(name)

    # -- what arrives --------------------------------------------------------------------

    def step(self) -> bool:
        """Handle what has arrived, waiting for it if necessary; False when all is done."""
        self._release_content()
        if self._storage is None or not self._storage.is_full:
            self._content.feed()
        if self._fetcher.pending:
            arrived = self._fetcher.poll(self._patience_s())
            self._progress.bytes_transferred = self._fetcher.bytes_transferred - self._bytes_before
            for completed in arrived:
                self._receive(completed)
        self._store()
        if self.deltas is not None:
            self.deltas.step(wait=not (self._fetcher.pending or self.walker.has_work))
            if self.deltas.is_busy:
                return True
        if self._fetcher.pending or self.walker.has_work:
            return True
        return self._finish()

    def _store(self) -> None:
        """Get on with storing."""
        if self._local is not None:
            self._local.flush()
        if self._storage is not None:
            self._storage.step()
            self._progress.writes = self._storage.in_progress

    def _finish(self) -> bool:
        """With nothing under way, wait for what is being stored; True when there is more to get."""
        if len(self._content):  # not released yet, or held up by what is stored
            if self._storage is not None:
                self._storage.wait_for_one()
            return True
        if self._storage is not None:
            self._storage.finish()
        if self._local is not None:
            self._local.finish()
        return len(self._content) > 0

    def _patience_s(self) -> float:
        if self.walker.has_work:
            return 0.0
        is_waiting = self._storage is not None and self._storage.is_waiting
        return _SHORT_POLL_S if is_waiting else _POLL_S

    def _release_content(self) -> None:
        """Let content be asked for, once it is known how much there is."""
        if self._content.is_released or self.walker.is_finding or self._progress.is_scanning:
            return
        self._content.is_released = True
        if len(self._content):
            self._open_storage().expect(len(self._content))

    def _open_storage(self) -> ContentStorage:
        if self._storage is None:
            from pyostree.pull.storing import ContentStorage  # often there is nothing to store

            self._storage = ContentStorage(
                self._make_receiver(), self._count, self._get_again, self._pool
            )
        return self._storage

    def salvage(self) -> None:
        """After an error: store the content that has arrived already."""
        self._fetcher.cancel_all()
        if self._storage is not None:
            self._storage.salvage()
        if self._local is not None:
            self._local.salvage()
        if self.deltas is not None:
            self.deltas.salvage()

    def close(self) -> None:
        """End what still runs, as after an interrupt."""
        if self._storage is not None:
            self._storage.close()

    def _receive(self, completed: Completed) -> None:
        name = completed.request.tag
        if not isinstance(name, ObjectName):
            assert self.deltas is not None
            self.deltas.receive(completed)
            return
        if completed.error is not None:
            if not completed.missing or not self._skip_missing(name):
                raise completed.error
            return
        body = completed.body
        assert body is not None
        if name.type is ObjectType.FILE:
            self._progress.content_fetched += 1
            if self.deltas is not None:
                self.deltas.content_arrived(name.checksum)
            self._content.note_arrival(body.size)
            self._open_storage().add(name.checksum, body)
            return
        self._progress.metadata_fetched += 1
        with body:
            data = body.read()
        self._metadata.receive(name, data)

    def _skip_missing(self, name: ObjectName) -> bool:
        """Go on without an object that the remote lacks; return False when that is impossible."""
        if name.type is ObjectType.COMMITMETA:
            self._progress.metadata_wanted -= 1
            self._metadata.no_detached(name.checksum)
            return True
        if name.type is not ObjectType.COMMIT or not self.walker.may_be_missing(name):
            return False
        self._progress.metadata_wanted -= 1
        self.walker.give_up(name)
        if self._endpoint.has_tombstones:
            tombstone = ObjectName(name.checksum, ObjectType.TOMBSTONE_COMMIT)
            self._request(tombstone, self._endpoint.content)
        return True

    def _arrived(self, name: ObjectName, data: bytes | None) -> None:
        self.walker.arrived(name, data)

    def _get_again(self, checksum: Checksum) -> None:
        self._progress.content_fetched -= 1
        self._content.add(checksum)

    def _count(self, outcomes: Sequence[Stored]) -> None:
        for outcome in outcomes:
            self._stats.count_content(outcome.size, is_new=outcome.is_new)


def _local_objects(job: PullJob) -> LocalObjects:
    from pyostree.pull.local import LocalObjects  # few pulls have caches

    return LocalObjects(job)
