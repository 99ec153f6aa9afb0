from __future__ import annotations

import io
import sys

import pytest

from pyostree.cli import progress
from pyostree.cli.progress import (
    PercentProgress,
    StatusLine,
    format_progress_line,
    shown_progress,
)
from pyostree.progress import Phase, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic", clock)
    return clock


def test_status_line_in_a_log_prints_only_the_end() -> None:
    out = io.StringIO()
    line = StatusLine(out)
    line.update("working")
    line.finish("done")
    assert out.getvalue() == "done\n"


def test_status_line_in_a_log_without_an_end_prints_nothing() -> None:
    out = io.StringIO()
    line = StatusLine(out)
    line.update("working")
    line.finish()
    assert out.getvalue() == ""


def test_status_line_on_a_terminal_rewrites_padded_text(clock: Clock) -> None:
    out = Terminal()
    line = StatusLine(out)
    line.update("one")
    line.update("too soon")
    clock.now += 0.3
    line.update("two")
    line.finish("end")
    assert out.getvalue() == (f"\x1b7\x1b8{'one':<80}\x1b8{'two':<80}\x1b8{'end':<80}\n")


def test_percent_progress_in_a_log_prints_at_most_a_line_per_second(clock: Clock) -> None:
    out = io.StringIO()
    bar = PercentProgress(out)
    for done in (0, 1, 2):
        bar.update(f"fsck objects ({done}/4)", done, 4)
    clock.now += 1.5
    bar.update("fsck objects (3/4)", 3, 4)
    bar.update("fsck objects (4/4)", 4, 4)
    bar.finish()
    assert out.getvalue() == (
        "fsck objects (0/4) 0%\nfsck objects (3/4) 75%\nfsck objects (4/4) 100%\n"
    )


def test_percent_progress_on_a_terminal_draws_a_bar(clock: Clock) -> None:
    out = Terminal()
    bar = PercentProgress(out)
    bar.update("x", 1, 2)
    bar.update("x", 2, 2)
    bar.finish()
    half, full = "x [=======       ] 50%", "x [==============]100%"
    assert out.getvalue() == f"\x1b7\x1b8{half:<80}\x1b8{full:<80}\n"


def test_percent_progress_nothing_to_do_is_complete() -> None:
    out = io.StringIO()
    PercentProgress(out).update("x", 0, 0)
    assert out.getvalue() == "x 100%\n"


def test_shown_progress_long_work_is_shown_and_erased(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    err = Terminal()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    with shown_progress() as show:
        assert show is not None
        show(Progress(Phase.READ, 1, 4))
        clock.now += 1
        show(Progress(Phase.READ, 2, 4))
    erase = "\r\x1b[K"
    assert err.getvalue() == f"{erase}reading: 50% (2/4){erase}"


def test_shown_progress_short_work_prints_nothing(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    err = Terminal()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    with shown_progress() as show:
        assert show is not None
        clock.now += 0.1
        show(Progress(Phase.READ, 1, 4))
    assert err.getvalue() == ""


@pytest.mark.parametrize(
    ("err", "term"), [(io.StringIO(), "xterm"), (Terminal(), "dumb"), (None, "xterm")]
)
def test_shown_progress_without_a_terminal_is_none(
    err: io.StringIO | None, term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", term)
    with shown_progress() as show:
        assert show is None


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress(Phase.WRITE), "writing"),
        (Progress(Phase.DELETE, 7), "deleting: 7"),
        (
            Progress(Phase.CHECK, 30, 60, elapsed_s=61),
            "checking: 50% (30/60), 1 minutes 1 seconds left",
        ),
        (
            Progress(Phase.READ, 20, 40, 3_000_000, 4_000_000, 3.0),
            "reading: 75% (20/40) 3.0\xa0MB, 1.0\xa0MB/s, 1 seconds left",
        ),
    ],
    ids=["nothing counted", "no total", "by count", "by bytes"],
)
def test_progress_line(progress: Progress, line: str) -> None:
    assert format_progress_line(progress) == line
