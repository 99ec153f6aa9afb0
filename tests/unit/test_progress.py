"""Progress and cancellation: what callers are told and when, and how they stop an operation."""

from __future__ import annotations

import threading

import pytest

from pyostree.errors import CancelledError, OstreeError
from pyostree.progress import (
    UNWATCHED,
    Cancel,
    Phase,
    Progress,
    ProgressWatch,
    estimate_seconds_left,
    watch_with,
)


def test_watch_every_phase_reports_its_begin_and_end() -> None:
    seen: list[Progress] = []
    watch = ProgressWatch(seen.append, interval_s=3600)
    watch.begin(Phase.SCAN)
    watch.advance(3)
    watch.begin(Phase.CHECK, 10, bytes_total=100)
    for _ in range(10):
        watch.advance(1, 10)
    watch.finish()
    watch.finish()
    assert [(p.phase, p.done, p.total, p.bytes_done, p.is_finished) for p in seen] == [
        (Phase.SCAN, 0, None, 0, False),
        (Phase.SCAN, 3, None, 0, True),
        (Phase.CHECK, 0, 10, 0, False),
        (Phase.CHECK, 10, 10, 100, True),
    ]


def test_watch_interval_over_reports_each_step() -> None:
    seen: list[Progress] = []
    watch = ProgressWatch(seen.append, interval_s=0)
    watch.begin(Phase.READ)
    watch.expect(2, 7)
    watch.advance(size=3)
    watch.advance(size=4)
    assert [(p.done, p.total, p.bytes_done, p.bytes_total) for p in seen] == [
        (0, None, 0, None),
        (1, 2, 3, 7),
        (2, 2, 7, 7),
    ]


def test_watch_many_steps_reports_few() -> None:
    seen: list[Progress] = []
    watch = ProgressWatch(seen.append, interval_s=3600)
    watch.begin(Phase.READ, 100_000)
    for _ in range(100_000):
        watch.advance(1, 1)
    watch.finish()
    assert len(seen) == 2
    assert seen[-1].bytes_done == 100_000


def test_watch_counted_by_several_threads_loses_nothing() -> None:
    running = []
    overlaps = []

    def callback(_progress: Progress) -> None:
        running.append(1)
        overlaps.append(len(running))
        running.pop()

    watch = ProgressWatch(callback, interval_s=0)
    watch.begin(Phase.READ)
    seen: list[Progress] = []

    def count() -> None:
        for _ in range(500):
            watch.advance(1, 2)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    watch._callback = seen.append
    watch.finish()
    assert (seen[0].done, seen[0].bytes_done) == (2000, 4000)
    assert set(overlaps) == {1}


def test_watch_cancelled_raises_at_the_next_step() -> None:
    cancel = Cancel()
    watch = watch_with(cancel=cancel)
    watch.begin(Phase.DELETE, 2)
    watch.advance()
    cancel.cancel()
    cancel.cancel()
    assert cancel.is_cancelled
    for step in (watch.advance, watch.check, cancel.check):
        with pytest.raises(CancelledError, match="cancelled"):
            step()
    assert issubclass(CancelledError, OstreeError)


def test_watch_error_of_the_callback_passes_through() -> None:
    def refuse(progress: Progress) -> None:
        if progress.done:
            raise KeyError("mine")

    watch = ProgressWatch(refuse, interval_s=0)
    watch.begin(Phase.READ)
    for _ in range(2):  # the second shows that no lock was left behind
        with pytest.raises(KeyError):
            watch.advance()


def test_watch_with_nothing_is_the_deaf_one() -> None:
    assert watch_with() is UNWATCHED
    assert not UNWATCHED.is_listening
    assert not watch_with(cancel=Cancel()).is_listening
    assert watch_with(lambda _progress: None).is_listening
    UNWATCHED.begin(Phase.READ, 1)
    UNWATCHED.expect(1)
    UNWATCHED.advance()
    UNWATCHED.check()
    UNWATCHED.finish()


@pytest.mark.parametrize(
    ("progress", "fraction", "left"),
    [
        (Progress(Phase.READ), None, None),
        (Progress(Phase.READ, 0, 0), 1.0, None),
        (Progress(Phase.READ, 25, 100, elapsed_s=5), 0.25, 15),
        (Progress(Phase.READ, 25, 100, 50, 100, elapsed_s=5), 0.5, 5),
        (Progress(Phase.READ, 25, 100, elapsed_s=1), 0.25, None),
        (Progress(Phase.READ, 5, 100, elapsed_s=9), 0.05, None),
        (Progress(Phase.READ, 30, 20, elapsed_s=9), 1.0, 0),
    ],
    ids=["unknown", "nothing", "by count", "by bytes", "too early", "too few", "grown"],
)
def test_progress_fraction_and_time_left(
    progress: Progress, fraction: float | None, left: int | None
) -> None:
    assert progress.fraction == fraction
    assert progress.seconds_left == left


def test_progress_rates() -> None:
    progress = Progress(Phase.READ, 10, None, 500, None, 2.0)
    assert (progress.per_second, progress.bytes_per_second) == (5, 250)
    assert Progress(Phase.READ, 10, None, 500).bytes_per_second == 0
    assert estimate_seconds_left(0, 10, 60) is None
