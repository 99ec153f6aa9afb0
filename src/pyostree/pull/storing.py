"""Storing content while more of it arrives: verified and written by all processors.

Bodies of small objects travel in batches to helper processes; when those have enough to do, this
process, which fetches, takes a batch itself. Heavy content is for helpers only, since nothing is
fetched while this process works: it waits until one has time, and meanwhile no more is asked for
(`ContentStorage.is_full`). Where no process can be forked, threads do it all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pyostree.closing import Closing
from pyostree.errors import CorruptObjectError, FormatError, OstreeError
from pyostree.formats.objects import Checksum
from pyostree.fs.memory_file import MemoryFile, ReceivedFile
from pyostree.pull.background import Background
from pyostree.pull.content import ContentReceiver, Stored, promised_bytes
from pyostree.remote.fetch import MEMORY_BYTES, Body
from pyostree.repo.processes import SharedWork, Sharing, may_fork

if TYPE_CHECKING:
    from concurrent.futures import Executor

Batch = list[tuple[Checksum, Body]]
_Packed = list[tuple[bytes, bytes | int, bool]]

_BATCH_OBJECTS = 32
# What goes through a socket: three batches must fit into its buffer.
_BATCH_BYTES = 64 << 10
# A larger body is handed over as a descriptor.
_INLINE_BYTES = 48 << 10
# Work for so long that the network would have to wait.
_HEAVY_BYTES = 16 << 20
_LEAST_HEAVY_BYTES = _HEAVY_BYTES // 1100  # no smaller body can hold so much
_MAX_HEAVY = 4
_MAX_THREAD_BATCHES = 6
# A helper costs as much as storing half of them: its forking, its copies of our memory, its end.
_OBJECTS_WORTH_HELPERS = 800


class Outcomes(NamedTuple):
    """What became of a batch.

    Attributes:
        doubtful: put together from several answers, and wrong; with what is wrong.
    """

    stored: list[Stored]
    doubtful: list[tuple[Checksum, OstreeError]]


class ContentStorage(Closing):
    """Stores the content objects of one pull.

    Args:
        stored: called here with the outcomes of each batch.
        again: called here with an object whose body was put together from several answers, and is
            wrong: it is to be fetched once more. The second time that is an error.
        pool: gives threads, for where no process can be forked.
    """

    def __init__(
        self,
        receiver: ContentReceiver,
        stored: Callable[[Sequence[Stored]], None],
        again: Callable[[Checksum], None],
        pool: Callable[[], Executor],
    ) -> None:
        self._receiver = receiver
        self._stored = stored
        self._again = again
        self._repeated: set[Checksum] = set()
        self._pool = pool
        self._batch: Batch = []
        self._batch_bytes = 0
        self._heavy: deque[Batch] = deque()
        self._shared: SharedWork[Batch, Outcomes] = SharedWork(
            Sharing(self._store, _pack, self._store_packed, _close_all),
            self._done,
            items_before_fork=_OBJECTS_WORTH_HELPERS // _BATCH_OBJECTS,
        )
        self._threads: Background[Outcomes] | None = None
        self._uses_helpers: bool | None = None

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be stored that no more content should be asked for."""
        return len(self._heavy) >= _MAX_HEAVY

    @property
    def is_waiting(self) -> bool:
        """Whether something waits for a helper that may have time for it any moment."""
        return bool(self._heavy)

    @property
    def in_progress(self) -> int:
        """About how many objects are being stored."""
        batches = self._shared.in_progress + len(self._heavy)
        if self._threads is not None:
            batches += len(self._threads)
        return batches * _BATCH_OBJECTS

    def expect(self, count: int) -> None:
        """Prepare for `count` objects: many are worth helpers from the first one on."""
        if count >= _OBJECTS_WORTH_HELPERS and self._may_fork():
            self._shared.start()

    def add(self, checksum: Checksum, body: Body) -> None:
        """Store an object, sometime before `finish` returns."""
        size = body.size
        if size > _LEAST_HEAVY_BYTES and (
            size > _INLINE_BYTES or promised_bytes(body) > _HEAVY_BYTES
        ):
            self._add_large(checksum, body)
            return
        self._batch.append((checksum, body))
        self._batch_bytes += size
        if len(self._batch) >= _BATCH_OBJECTS or self._batch_bytes >= _BATCH_BYTES:
            self.flush()

    def _add_large(self, checksum: Checksum, body: Body) -> None:
        batch = [(checksum, body)]
        is_heavy = body.size > MEMORY_BYTES or promised_bytes(body) > _HEAVY_BYTES
        if is_heavy and self._may_fork() and self._shared.start():
            self._heavy.append(batch)
            self._give_heavy()
        else:
            self._submit(batch)

    def flush(self) -> None:
        """Begin to store what has come so far."""
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if batch:
            self._submit(batch)

    def step(self) -> None:
        """Take results, and give helpers what waits for them."""
        if self._threads is not None:
            self._threads.take_ended()
        self._shared.collect()
        self._give_heavy()

    def wait_for_one(self) -> None:
        """Wait until something has been stored."""
        self._shared.wait_for_one()
        self._give_heavy()

    def finish(self) -> None:
        """Wait until everything is stored."""
        self.flush()
        while self._heavy:
            self._shared.submit(self._heavy.popleft())
        self._wait()

    def salvage(self) -> None:
        """After an error: store what is here already, unless that takes long; no more errors."""
        self._drop_heavy()
        self._settle()
        with suppress(OstreeError, OSError):
            self.flush()
        self._settle()
        self._shared.close()

    def _settle(self) -> None:
        """Wait until nothing is under way, whatever becomes of it."""
        while True:
            with suppress(OstreeError, OSError):  # each takes what it is about along
                self._wait()
                return

    def close(self) -> None:
        """End the helpers at once; what they are at is lost."""
        self._drop_heavy()
        self._shared.kill()

    def _drop_heavy(self) -> None:
        for batch in self._heavy:
            _close_all(batch)
        self._heavy.clear()

    # -- helpers or threads --------------------------------------------------------------

    def _may_fork(self) -> bool:
        """Tell whether helpers are used; threads of others, once they run, do not change it."""
        if self._uses_helpers is None:
            self._uses_helpers = may_fork()
        return self._uses_helpers

    def _submit(self, batch: Batch) -> None:
        if self._may_fork():
            self._shared.submit(batch)
            return
        if self._threads is None:
            self._threads = Background(self._pool, self._take, max_jobs=_MAX_THREAD_BATCHES)
        try:
            self._threads.submit(partial(self._store_and_close, batch))
        except BaseException:
            _close_all(batch)
            raise

    def _give_heavy(self) -> None:
        while self._heavy and self._shared.offer(self._heavy[0]):
            self._heavy.popleft()

    def _wait(self) -> None:
        if self._threads is not None:
            self._threads.wait_for_all()
        self._shared.finish()

    # -- the work ------------------------------------------------------------------------

    def _store(self, batch: Batch) -> Outcomes:
        """Store a batch; objects behind a bad one are stored before its error is raised."""
        outcomes = Outcomes([], [])
        problem: OstreeError | OSError | None = None
        for checksum, body in batch:
            try:
                outcomes.stored.append(self._receiver.store(checksum, body))
            except (OstreeError, OSError) as err:
                if body.was_continued and isinstance(err, (FormatError, CorruptObjectError)):
                    outcomes.doubtful.append((checksum, err))
                else:
                    problem = problem or err
        if problem is not None:
            raise problem
        return outcomes

    def _store_and_close(self, batch: Batch) -> Outcomes:
        try:
            return self._store(batch)
        finally:
            _close_all(batch)

    def _store_packed(self, packed: _Packed, descriptors: list[int]) -> Outcomes:
        """Store a batch in a helper."""
        received = iter(descriptors)
        batch: Batch = []
        for digest, content, was_continued in packed:
            if isinstance(content, bytes):
                body = Body(content)
            else:
                body = _received_body(next(received), content)
            body.was_continued = was_continued
            batch.append((Checksum(digest), body))
        return self._store_and_close(batch)

    def _done(self, batch: Batch, outcomes: Outcomes) -> None:
        _close_all(batch)
        self._take(outcomes)

    def _take(self, outcomes: Outcomes) -> None:
        self._stored(outcomes.stored)
        for checksum, problem in outcomes.doubtful:
            if checksum in self._repeated:
                raise problem
            self._repeated.add(checksum)
            self._again(checksum)


def _close_all(batch: Batch) -> None:
    for _, body in batch:
        body.close()


def _pack(batch: Batch) -> tuple[_Packed, list[int]]:
    """Return a batch as it travels: small bodies by value, of others the size and a descriptor."""
    packed: _Packed = []
    descriptors = []
    for index, (checksum, body) in enumerate(batch):
        if body.in_memory and body.size <= _INLINE_BYTES:
            packed.append((bytes(checksum), body.read(), body.was_continued))
            continue
        shared = body
        if body.in_memory:
            shared = Body(b"", MemoryFile(body.read()), body.size)
            shared.was_continued = body.was_continued
            batch[index] = checksum, shared
        packed.append((bytes(checksum), body.size, body.was_continued))
        descriptors.append(shared.fileno())
    return packed, descriptors


def _received_body(descriptor: int, size: int) -> Body:
    body = Body(b"", ReceivedFile(descriptor), size)
    if size > MEMORY_BYTES:
        return body
    with body:
        return Body(body.read())
