"""Work shared with forked helper processes, for what the interpreter lock makes slow in threads.

Linking, copying and removing tens of thousands of small files is a few microseconds of kernel time
and as much of interpreter time each: threads would pass the lock to and fro and gain nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

from pyostree.fs.limits import open_files_limit
from pyostree.repo.parallel import worker_count

if TYPE_CHECKING:
    from pyostree.repo.helper_process import HelperProcess

A = TypeVar("A")
R = TypeVar("R")

_MAX_HELPERS = 7
# One item to work on, others to begin with at once while the parent is busy itself.
_ITEMS_PER_HELPER = 3
# Forking costs milliseconds: small jobs are over by then.
_ITEMS_BEFORE_FORK = 6
# Items in progress keep descriptors open here: where few are allowed, no helper is forked.
_OWN_DESCRIPTORS = 200
_DESCRIPTORS_PER_HELPER = 100


def _keep(_: object) -> None:
    """Leave an item as it is."""


class Sharing(NamedTuple, Generic[A, R]):
    """How one kind of item is worked on, here or elsewhere.

    `pack` turns an item into what can be pickled and descriptors to send along, or None if it is
    not for a helper; `work_packed` does in a helper what `work` does here. What a helper changes
    in memory is lost. An item may be done twice: when a helper lacks descriptors for it, or has
    more to say than a message holds, it is done here again. `drop` is called here with each item
    on which the work failed or never ended.
    """

    work: Callable[[A], R]
    pack: Callable[[A], tuple[object, Sequence[int]] | None]
    work_packed: Callable[[Any, list[int]], R]
    drop: Callable[[A], None] = _keep

    def work_here(self, item: A) -> R:
        """Work on an item in this process."""
        try:
            return self.work(item)
        except BaseException:
            self.drop(item)
            raise


def may_fork() -> bool:
    """Tell whether helpers are worth it and safe: a copy of a process has one thread only."""
    if worker_count() == 1 or threading.active_count() > 1:
        return False
    wanted = _OWN_DESCRIPTORS + _helper_count() * _DESCRIPTORS_PER_HELPER
    return open_files_limit() >= wanted


def _helper_count() -> int:
    return min(worker_count() - 1, _MAX_HELPERS)


class SharedWork(Generic[A, R]):
    """A job of many items; the calling process works too, so that it is never idle.

    Without helpers (see `may_fork`) it works alone. Leaving the ``with`` block waits for what is
    in progress.
    """

    def __init__(
        self,
        sharing: Sharing[A, R],
        done: Callable[[A, R], None],
        *,
        items_before_fork: int = _ITEMS_BEFORE_FORK,
    ) -> None:
        """Prepare; nothing is forked for the first few items.

        Args:
            done: called here with every item and its result, in the order in which they finish.
            items_before_fork: how many are so few that they are over before a helper is there.
        """
        self._sharing = sharing
        self._done = done
        self._helpers: list[HelperProcess[A, R]] = []
        self._items_before_fork = items_before_fork
        self._items_alone = 0
        self._is_refused = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what is in progress, without its results, and let the helpers end."""
        for helper in self._helpers:
            helper.close()
        for helper in self._helpers:
            helper.wait()
            helper.drop_items()
        self._helpers.clear()

    def kill(self) -> None:
        """End the helpers at once, whatever they are doing; what they write is of no use then."""
        for helper in self._helpers:
            helper.kill()
        self.close()

    @property
    def in_progress(self) -> int:
        """How many items helpers have."""
        return sum(len(helper.items) for helper in self._helpers)

    def submit(self, item: A) -> None:
        """Work on an item, or let a helper do so; raises the first error of either."""
        try:
            is_taken = self.offer(item)
        except BaseException:
            self._sharing.drop(item)
            raise
        if not is_taken:
            self._items_alone += 1
            self._done(item, self._sharing.work_here(item))

    def offer(self, item: A) -> bool:
        """Let a helper work on an item; False when there is none with time for it.

        Raises the first error of earlier items.
        """
        if self._helpers:
            self._collect(wait=False)
        elif self._items_alone >= self._items_before_fork:
            self.start()
        return self._offer(item)

    def start(self) -> bool:
        """Fork the helpers now, where that is possible; tell whether there are any."""
        if not self._helpers and not self._is_refused and may_fork():
            from pyostree.repo.helper_process import HelperProcess  # slow to import

            try:
                for _ in range(_helper_count()):
                    self._helpers.append(HelperProcess(self._sharing))
            except OSError:
                self._is_refused = True  # limits of processes or memory: fewer will do
        return bool(self._helpers)

    def collect(self) -> None:
        """Take the results that are there."""
        self._collect(wait=False)

    def wait_for_one(self) -> None:
        """Wait for an item in progress, if there is one."""
        if self.in_progress:
            self._take(timeout_ms=None)

    def finish(self) -> None:
        """Wait until all items are done."""
        self._collect(wait=True)

    def _offer(self, item: A) -> bool:
        """Give an item to a helper that has time for it; False when there is none."""
        helper = min(self._helpers, key=lambda helper: len(helper.items), default=None)
        if helper is None or len(helper.items) >= _ITEMS_PER_HELPER:
            return False
        return helper.send(item)

    def _collect(self, *, wait: bool) -> None:
        """Take the results that are there; with `wait` until there is nothing to wait for."""
        while self.in_progress:
            self._take(timeout_ms=None if wait else 0)
            if not wait:
                return

    def _take(self, *, timeout_ms: int | None) -> None:
        from pyostree.repo.helper_process import wait_for

        busy = [helper for helper in self._helpers if helper.items]
        for helper in wait_for(busy, timeout_ms=timeout_ms):
            item, result = helper.receive()
            self._done(item, result)
