"""Supplying a pull over HTTP: requests in flight, arrivals verified, content stored in threads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import ChecksumMismatchError, OstreeError, doing
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, loose_path
from pyostree.pull.background import Background
from pyostree.pull.content import ContentReceiver, Stored
from pyostree.pull.job import PullJob
from pyostree.pull.local import LocalObjects
from pyostree.remote.fetch import Body, Completed, Fetcher, FetchRequest
from pyostree.remote.urls import BaseUrl
from pyostree.repo.import_objects import Importer
from pyostree.repo.repo import Repo
from pyostree.repo.store.structure import check_structure

if TYPE_CHECKING:
    from pyostree.pull.deltas import DeltaPull
    from pyostree.pull.walk import Start, Walker

_METADATA_PRIORITY = -100
_CONTENT_PRIORITY = 0
_POLL_S = 0.25
# A batch of content for one thread: small enough to keep both busy, large enough that handing it
# over costs little.
_BATCH_OBJECTS = 16
_BATCH_BYTES = 1 << 20
_MAX_BATCHES = 6
_BUSY_BATCHES = 2


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


class Cache(NamedTuple):
    """A local repository whose objects need not be fetched."""

    repo: Repo
    importer: Importer


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
        receiver: ContentReceiver,
        caches: Sequence[Cache] = (),
    ) -> None:
        self._repo = job.repo
        self._fetcher = fetcher
        self._endpoint = endpoint
        self._transaction = job.transaction
        self._receiver = receiver
        self._progress = job.progress
        self._signatures = job.signatures
        # Detached metadata of commits that are not stored yet: what is written is checked first.
        self._detached: dict[Checksum, bytes] = {}
        self._caches = tuple(caches)
        self._local = LocalObjects(job)
        self._background: Background[list[Stored]] = Background(
            job.pool, self._count, max_jobs=_MAX_BATCHES
        )
        self._batch: list[tuple[Checksum, Body]] = []
        self._batch_bytes = 0
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
        """Fetch a commit, its detached metadata first: signatures are in there."""
        name = ObjectName(checksum, ObjectType.COMMIT)
        cache = self._find_cached(name)
        if cache is None:
            self.get_detached(checksum)
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
            self._local.add(cache.importer, name)
            return
        self._progress.content_wanted += 1
        self._fetcher.submit(
            FetchRequest(
                f"objects/{loose_path(checksum, 'filez')}",
                self._endpoint.content,
                priority=_CONTENT_PRIORITY,
                tag=name,
            )
        )

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
        self._local.flush()
        if self._fetcher.pending:
            timeout_s = 0.0 if self.walker.has_work else _POLL_S
            for completed in self._fetcher.poll(timeout_s):
                self._receive(completed)
            self._progress.bytes_transferred = self._fetcher.bytes_transferred - self._bytes_before
        if len(self._background) < _BUSY_BATCHES or not self._fetcher.pending:
            self._flush()
        self._background.take_ended()
        if self.deltas is not None:
            self.deltas.step(wait=not (self._fetcher.pending or self.walker.has_work))
            if self.deltas.is_busy:
                return True
        if self._fetcher.pending or self.walker.has_work:
            return True
        self._background.wait_for_all()
        self._local.finish()
        return False

    def salvage(self) -> None:
        """After an error: store the content that has arrived already."""
        self._fetcher.cancel_all()
        with suppress(OstreeError, OSError):
            self._flush()
        self._background.salvage()
        self._local.salvage()
        if self.deltas is not None:
            self.deltas.salvage()

    def _receive(self, completed: Completed) -> None:
        name = completed.request.tag
        if not isinstance(name, ObjectName):
            self._receive_delta(completed)
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
            self._add_content(name.checksum, body)
            return
        self._progress.metadata_fetched += 1
        with body:
            data = body.read()
        match name.type:
            case ObjectType.COMMITMETA:
                self._store_detached(name, data)
            case ObjectType.TOMBSTONE_COMMIT:
                pass  # that it exists is all we want to know
            case _:
                self._store_metadata(name, data)

    def _receive_delta(self, completed: Completed) -> None:
        assert self.deltas is not None
        self.deltas.receive(completed)

    def _skip_missing(self, name: ObjectName) -> bool:
        """Go on without an object that the remote lacks; return False when that is impossible."""
        if name.type is ObjectType.COMMITMETA:
            self._progress.metadata_wanted -= 1
            self._after_detached(name.checksum)
            return True
        if name.type is not ObjectType.COMMIT or not self.walker.may_be_missing(name):
            return False
        self._progress.metadata_wanted -= 1
        self.walker.give_up(name)
        if self._endpoint.has_tombstones:
            tombstone = ObjectName(name.checksum, ObjectType.TOMBSTONE_COMMIT)
            self._request(tombstone, self._endpoint.content)
        return True

    def _store_detached(self, name: ObjectName, data: bytes) -> None:
        with doing(str(name)):
            check_structure(ObjectType.COMMITMETA, data)
        checksum = name.checksum
        if self._repo.store.has(ObjectName(checksum, ObjectType.COMMIT)):
            self._signatures.check_detached(self._repo, checksum, data)
            self._repo.store.write_detached(checksum, data)
        else:
            self._detached[checksum] = data
        self._after_detached(checksum)

    def _after_detached(self, checksum: Checksum) -> None:
        name = ObjectName(checksum, ObjectType.COMMIT)
        if self._repo.store.has(name):
            self.walker.arrived(name)
        else:
            self._request(name, self._endpoint.content)

    def _store_metadata(self, name: ObjectName, data: bytes) -> None:
        actual = hashlib.sha256(data).digest()
        if actual != name.checksum:
            raise ChecksumMismatchError(name.type.extension, str(name.checksum), actual.hex())
        with doing(str(name)):
            check_structure(name.type, data)
        if name.type is ObjectType.COMMIT:
            detached = self._detached.pop(name.checksum, None)
            self._signatures.check(name.checksum, data, detached)
            # Before the commit itself: a crash must not leave it looking complete.
            self._repo.mark_partial(name.checksum)
            if detached is not None:
                self._repo.store.write_detached(name.checksum, detached)
        written = self._repo.store.put_metadata(name.type, data)
        self._transaction.stats.count_metadata(is_new=written.is_new)
        self.walker.arrived(name)

    # -- content -------------------------------------------------------------------------

    def _add_content(self, checksum: Checksum, body: Body) -> None:
        self._batch.append((checksum, body))
        self._batch_bytes += body.size
        if len(self._batch) >= _BATCH_OBJECTS or self._batch_bytes >= _BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._batch:
            return
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        self._background.submit(lambda: self._store_batch(batch))
        self._progress.writes = len(self._background) * _BATCH_OBJECTS

    def _store_batch(self, batch: list[tuple[Checksum, Body]]) -> list[Stored]:
        stored = []
        for checksum, body in batch:
            with body:
                stored.append(self._receiver.store(checksum, body))
        return stored

    def _count(self, results: list[Stored]) -> None:
        for result in results:
            self._transaction.stats.count_content(result.size, is_new=result.is_new)
