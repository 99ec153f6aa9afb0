from __future__ import annotations

import io

import pytest

from pyostree.cli import progress
from pyostree.cli.progress import PercentProgress, StatusLine


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
