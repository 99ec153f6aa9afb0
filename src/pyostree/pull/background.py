"""Work in the background of a pull, bounded, with its results taken on the main thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from pyostree.errors import OstreeError

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

R = TypeVar("R")


class Background(Generic[R]):
    """A queue of at most `max_jobs` jobs on a pool of threads.

    A full queue makes `submit` wait, so that what is held in memory stays bounded.
    """

    def __init__(
        self, pool: Callable[[], Executor], done: Callable[[R], None], *, max_jobs: int
    ) -> None:
        self._pool = pool
        self._done = done
        self._max_jobs = max_jobs
        self._jobs: deque[Future[R]] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def submit(self, work: Callable[[], R]) -> None:
        """Start a job, when the queue is full after the oldest one has ended."""
        while len(self._jobs) >= self._max_jobs:
            self.wait_for_one()
        self._jobs.append(self._pool().submit(work))

    def wait_for_one(self) -> None:
        """Wait for the oldest job and hand its result on; its error is raised here."""
        self._done(self._jobs.popleft().result())

    def take_ended(self) -> None:
        """Hand on the results of jobs that have ended, without waiting."""
        while self._jobs and self._jobs[0].done():
            self.wait_for_one()

    def wait_for_all(self) -> None:
        """Wait for all jobs."""
        while self._jobs:
            self.wait_for_one()

    def salvage(self) -> None:
        """Wait for all jobs; their errors do not matter any more."""
        while self._jobs:
            with suppress(OstreeError, OSError):
                self.wait_for_one()
