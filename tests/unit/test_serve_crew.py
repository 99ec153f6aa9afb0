"""Processes that a server keeps: replaced one by one, all at once, or not at all."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from collections.abc import Iterator

import pytest

from pyostree.errors import NotFoundError
from pyostree.serve import crew as crew_module
from pyostree.serve.crew import READY, Crew, WorkerError
from serve_lab import wait_until


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew("worker", 2, 10)
    yield crew
    crew.end()


@pytest.fixture
def extra() -> Iterator[Crew]:
    crew = Crew("announcer", 1, 10, is_vital=False)
    yield crew
    crew.end()


def stay(_: int, ready: int) -> None:
    os.write(ready, READY)
    signal.pause()


def fall(_: int, ready: int) -> None:
    os.write(ready, READY)


def fail(number: int, ready: int) -> None:
    if number == 0:
        stay(number, ready)
    raise NotFoundError("what it needs")


def abort(_: int, ready: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_replacements_that_do_not_start_leave_those_before(crew: Crew) -> None:
    crew.start(stay)
    before = pids(crew)
    with pytest.raises(NotFoundError, match="what it needs"):
        crew.replace(fail)
    with pytest.raises(WorkerError, match=r"worker process \d+ did not start"):
        crew.replace(abort)
    wait_until(lambda: crew.reap() == [] and pids(crew) == before)


def test_replacements_are_there_before_the_old_ones_go(crew: Crew) -> None:
    crew.start(stay)
    before = pids(crew)
    crew.replace(stay)
    assert len(crew) == 4
    wait_until(lambda: crew.reap() == [] and len(crew) == 2)
    assert not before & pids(crew)


def test_one_that_cannot_be_replaced_is_reported_while_another_is_there(crew: Crew) -> None:
    crew.start(stay)
    first = min(pids(crew))
    os.kill(first, signal.SIGKILL)
    wait_until(crew.reap)
    (said,) = crew.refill(abort)
    assert re.fullmatch(r"no worker replaces it: worker process \d+ did not start", said)
    assert crew.refill(stay) == []  # not yet again


def test_last_one_that_cannot_be_replaced_is_an_error(crew: Crew) -> None:
    with pytest.raises(WorkerError):
        crew.refill(abort)


def test_vital_processes_that_end_again_and_again_are_an_error(crew: Crew) -> None:
    def run() -> None:
        while True:
            crew.start(fall)
            time.sleep(0.01)
            crew.reap()

    with pytest.raises(WorkerError, match="Each worker process ends soon after its start"):
        run()


@pytest.mark.parametrize("work", [fall, abort])
def test_others_that_end_again_and_again_are_tried_ever_more_rarely(
    extra: Crew, monkeypatch: pytest.MonkeyPatch, work: crew_module.Work
) -> None:
    now = 1000.0
    monkeypatch.setattr(crew_module.time, "monotonic", lambda: now)
    starts = []
    said = []
    for _ in range(600):
        said += extra.refill(work)
        if len(extra):
            starts.append(now)
            os.waitid(os.P_PID, next(iter(pids(extra))), os.WEXITED | os.WNOWAIT)
        said += extra.reap()
        now += 1
    pauses = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]
    assert len(said) == len(starts)


def pids(crew: Crew) -> set[int]:
    """Return the processes of a crew, those that have ended but are not reaped included."""
    return set(crew._members)
