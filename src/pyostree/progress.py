"""Progress of long operations, and their cancellation.

A caller of the library gives a function that is shown a `Progress` now and then, and a `Cancel`
token, each optional. Inside the library the two travel as one `Watch`::

    def prune(repo: Repo, options: PruneOptions, watch: Watch = UNWATCHED) -> PruneResult:
        watch.begin(Phase.DELETE, total=len(names))
        for name in names:
            delete(name)
            watch.advance(1, size)  # counts, reports when it is time, raises when cancelled
        watch.finish()

`advance` is cheap enough to be called for each of some 100,000 objects; batches may be counted at
once. Where an operation must not stop any more, as between the objects and the refs of a
transaction, it just calls nothing.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from pyostree.errors import CancelledError
from pyostree.watch import UNWATCHED, Watch

__all__ = [
    "UNWATCHED",
    "Cancel",
    "Pace",
    "Phase",
    "Progress",
    "ProgressCallback",
    "ProgressWatch",
    "Watch",
    "estimate_seconds_left",
    "watch_with",
]

# Ten a second look fluent on a terminal, and cost nothing.
_INTERVAL_S = 0.1
# An estimate from the first moments would jump about.
_MIN_ELAPSED_S = 2
_MIN_DONE = 20


class Phase(enum.StrEnum):
    """What an operation is doing; the value is a word for people."""

    RESOLVE = "resolving"
    SCAN = "scanning"
    READ = "reading"
    WRITE = "writing"
    CHECK = "checking"
    COMPARE = "comparing"
    DELETE = "deleting"
    FETCH = "fetching"
    IMPORT = "importing"
    GENERATE = "generating"


class Pace(NamedTuple):
    """How fast an operation has been lately.

    Attributes:
        bytes_per_second: None when it is too early to say.
        seconds_left: None when nothing can be said.
    """

    bytes_per_second: float | None
    seconds_left: int | None


class Progress(NamedTuple):
    """How far one phase of an operation is.

    Attributes:
        done: objects, files or whatever the phase goes through, so far.
        total: how many there are; None while that is not known.
        bytes_done: of their contents; 0 where contents are not looked at.
        bytes_total: None when not known.
        elapsed_s: since the phase began.
        is_finished: the last report of the phase.
        is_estimate: `bytes_total` is an estimate from what was there so far.
        pace: of the last seconds; None where only averages are known.
    """

    phase: Phase
    done: int = 0
    total: int | None = None
    bytes_done: int = 0
    bytes_total: int | None = None
    elapsed_s: float = 0.0
    is_finished: bool = False
    is_estimate: bool = False
    pace: Pace | None = None

    @property
    def fraction(self) -> float | None:
        """Part that is done, from 0 to 1, by bytes if their total is known; None: no total."""
        done, total = self._measure
        if total is None:
            return None
        return min(done / total, 1.0) if total else 1.0

    @property
    def per_second(self) -> float:
        """Objects in a second, on average."""
        return self.done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Bytes in a second, lately where that is measured, else on average."""
        if self.pace is not None:
            return self.pace.bytes_per_second or 0.0
        return self.bytes_done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def seconds_left(self) -> int | None:
        """Estimate of the time that the phase still takes; None when nothing can be said yet."""
        if self.pace is not None:
            return self.pace.seconds_left
        done, total = self._measure
        if total is None or self.done < _MIN_DONE:
            return None
        return estimate_seconds_left(done, total, self.elapsed_s)

    @property
    def _measure(self) -> tuple[int, int | None]:
        if self.bytes_total and not self.is_estimate:
            return self.bytes_done, self.bytes_total
        return self.done, self.total


ProgressCallback = Callable[[Progress], None]


def estimate_seconds_left(done: int, total: int, elapsed_s: float) -> int | None:
    """Return the time for the rest at the speed so far; None when it is too early to say."""
    if elapsed_s < _MIN_ELAPSED_S or done <= 0:
        return None
    return max(round(elapsed_s * (total - done) / done), 0)


class Cancel:
    """A request to stop, made from any thread or a signal handler; it cannot be withdrawn.

    The operation raises `CancelledError` soon after, and leaves things as an error there would.
    """

    __slots__ = ("_is_cancelled",)

    def __init__(self) -> None:
        self._is_cancelled = False  # setting it is one step for the interpreter: needs no lock

    def cancel(self) -> None:
        """Ask to stop."""
        self._is_cancelled = True

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._is_cancelled

    def check(self) -> None:
        """Raise `CancelledError` if `cancel` was called."""
        if self._is_cancelled:
            raise CancelledError("Operation was cancelled")


def watch_with(progress: ProgressCallback | None = None, cancel: Cancel | None = None) -> Watch:
    """Return the `Watch` for a caller's function and token."""
    if progress is None and cancel is None:
        return UNWATCHED
    return ProgressWatch(progress, cancel)


class ProgressWatch(Watch):
    """Passes progress on, ten times a second at most, and cancellation back.

    The function is called by the thread that counts, which may be one of the pool; two calls
    never run at once.
    """

    __slots__ = (
        "_bytes_done",
        "_bytes_total",
        "_callback",
        "_cancel",
        "_done",
        "_interval_s",
        "_lock",
        "_next_s",
        "_phase",
        "_started_s",
        "_total",
    )

    def __init__(
        self,
        callback: ProgressCallback | None = None,
        cancel: Cancel | None = None,
        *,
        interval_s: float = _INTERVAL_S,
    ) -> None:
        self._callback = callback
        self._cancel = cancel
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._phase: Phase | None = None
        self._done = self._bytes_done = 0
        self._total: int | None = None
        self._bytes_total: int | None = None
        self._started_s = self._next_s = 0.0

    @property
    def is_listening(self) -> bool:
        return self._callback is not None

    def begin(
        self, phase: Phase, total: int | None = None, *, bytes_total: int | None = None
    ) -> None:
        self.finish()
        with self._lock:
            self._phase = phase
            self._done = self._bytes_done = 0
            self._total = total
            self._bytes_total = bytes_total
            self._started_s = time.monotonic()
            self._report(self._started_s)

    def expect(self, count: int, size: int = 0) -> None:
        with self._lock:
            self._total = (self._total or 0) + count
            if size:
                self._bytes_total = (self._bytes_total or 0) + size

    def advance(self, count: int = 1, size: int = 0) -> None:
        self.check()
        if self._callback is None:
            return
        with self._lock:
            self._done += count
            self._bytes_done += size
            now_s = time.monotonic()
            if now_s >= self._next_s:
                self._report(now_s)

    def check(self) -> None:
        if self._cancel is not None:
            self._cancel.check()

    def finish(self) -> None:
        with self._lock:
            if self._phase is not None:
                self._report(time.monotonic(), is_finished=True)
                self._phase = None

    def _report(self, now_s: float, *, is_finished: bool = False) -> None:
        if self._callback is None or self._phase is None:
            return
        self._next_s = now_s + self._interval_s
        progress = Progress(
            self._phase,
            self._done,
            self._total,
            self._bytes_done,
            self._bytes_total,
            now_s - self._started_s,
            is_finished,
        )
        self._callback(progress)
