"""Work spread over a bounded pool of threads, with results in the order of the input.

Hashing, inflating, deflating and file I/O release the interpreter lock, so threads use all
processors. Many small items should travel in batches, since handing one over costs more than
hashing a small file.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from pyostree.closing import Closing
from pyostree.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

A = TypeVar("A")
B = TypeVar("B")

_MAX_WORKERS = 16  # above that the disk or the interpreter lock is what limits
_AHEAD_PER_WORKER = 2
_WATCH_S = 0.25


def worker_count() -> int:
    """Return how many threads can run at once on the processors that this process may use."""
    return max(1, min(len(os.sched_getaffinity(0)), _MAX_WORKERS))


@contextmanager
def worker_pool(workers: int | None = None) -> Iterator[Executor]:
    """Give a pool of `workers` threads, by default one per processor; its work ends with it."""
    from concurrent.futures import ThreadPoolExecutor  # slow to import

    with ThreadPoolExecutor(workers or worker_count(), "pyostree") as pool:
        yield pool


class LazyPool(Closing):
    """A pool of threads, one per processor, that is made when somebody first asks for it."""

    def __init__(self) -> None:
        self._pool: Executor | None = None

    def __call__(self) -> Executor:
        """Return the pool."""
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # slow to import

            self._pool = ThreadPoolExecutor(worker_count(), "pyostree")
        return self._pool

    def close(self) -> None:
        """Wait for its work, and end its threads."""
        if self._pool is not None:
            self._pool.shutdown()


def map_ordered(
    pool: Executor, work: Callable[[A], B], items: Iterable[A], *, ahead: int | None = None
) -> Iterator[B]:
    """Yield ``work(item)`` in input order.

    The first error is raised, what has not begun is cancelled.

    Args:
        ahead: at most so many items are in flight or unread; by default two per processor.
    """
    limit = ahead or _AHEAD_PER_WORKER * worker_count()
    waiting: deque[Future[B]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= limit:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def map_batches(
    pool: Executor,
    work: Callable[[A], B],
    items: Iterable[A],
    *,
    batch: int,
    ahead: int | None = None,
) -> Iterator[B]:
    """Yield ``work(item)`` in input order, handing `batch` items at once to a thread.

    An item's error is raised in its turn, after the results of the items before its batch.

    Args:
        ahead: at most so many batches are in flight or unread; by default two per processor.
    """

    def work_batch(group: list[A]) -> list[B]:
        return [work(item) for item in group]

    for results in map_ordered(pool, work_batch, batches(items, batch), ahead=ahead):
        yield from results


def batches(items: Iterable[A], size: int) -> Iterator[list[A]]:
    """Yield `items` in lists of `size`, the last one shorter."""
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group


def run_with_deadline(
    jobs: Sequence[Callable[[], B]],
    *,
    threads: int,
    timeout_s: float | None = None,
    watch: Watch = UNWATCHED,
) -> list[B | None]:
    """Run jobs that may hang in threads of their own; return their results in order.

    A job that has not ended in time is left behind, its result is None. The first error is raised
    when all others have ended.

    Args:
        timeout_s: for all of them together; None to wait for ever.
        watch: asked a few times a second whether to go on; if not, all jobs are left behind.

    Raises:
        CancelledError: `watch` wishes so.
    """
    from concurrent.futures import Future  # slow to import
    from threading import Lock, Thread

    futures: list[Future[B]] = [Future() for _ in jobs]
    queue = iter(zip(futures, jobs, strict=True))
    turn = Lock()

    def work() -> None:
        while True:
            with turn:
                mine = next(queue, None)
            if mine is None:
                return
            future, job = mine
            try:
                future.set_result(job())
            except BaseException as err:
                future.set_exception(err)
                if not isinstance(err, Exception):
                    raise

    # Daemons: the interpreter's exit does not wait for those that hang.
    workers = [
        Thread(target=work, name="pyostree", daemon=True) for _ in range(min(threads, len(jobs)))
    ]
    for worker in workers:
        worker.start()
    done = _wait(futures, timeout_s, watch)
    if len(done) == len(futures):
        for worker in workers:
            worker.join()  # a process with threads may not fork helpers
    return [future.result() if future in done else None for future in futures]


def _wait(futures: Sequence[Future[B]], timeout_s: float | None, watch: Watch) -> set[Future[B]]:
    """Return those that ended in time."""
    from concurrent.futures import wait

    end_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
    while True:
        watch.check()
        left_s = max(0.0, end_s - time.monotonic())
        done, late = wait(futures, min(left_s, _WATCH_S))
        if not late or left_s <= _WATCH_S:
            return done
