"""Progress on a terminal, or in a log where standard output is none."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pyostree.progress import Progress, ProgressCallback

_SAVE_CURSOR = "\x1b7"
_RESTORE_CURSOR = "\x1b8"
_TERMINAL_INTERVAL_S = 0.2
_LOG_INTERVAL_S = 1.0
_UNKNOWN_COLUMNS = 80
_MAX_COLUMNS = 256
_BAR_COLUMNS = 20
_BAR_MIN_COLUMNS = 10
_BAR_FRAME_COLUMNS = 6  # the brackets, and the number with its sign
_ALL = 100
_ERASE_LINE = "\r\x1b[K"
_QUIET_S = 0.5  # what is over sooner needs no line


class StatusLine:
    """One line on a terminal, rewritten in place; elsewhere only its last text is printed."""

    __slots__ = ("_is_open", "_is_terminal", "_last", "_out")

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._is_open = False
        self._last = 0.0

    def update(self, status: str) -> None:
        """Show `status`, unless another was shown just before."""
        if self._is_terminal and self.is_due():
            self.show(status)

    def finish(self, status: str = "") -> None:
        """Show the last `status`, if there is one, and leave the line."""
        if not self._is_terminal:
            self._out.write(f"{status}\n" if status else "")
        elif status or self._is_open:
            if status:
                self.show(status)
            self._out.write("\n")
        self._is_open = False
        self._out.flush()

    def is_due(self) -> bool:
        """Tell whether enough time has passed since the last text."""
        return not self._is_open or monotonic() - self._last >= _TERMINAL_INTERVAL_S

    def show(self, status: str) -> None:
        """Show `status` at once."""
        from pyostree.cli.columns import display_width  # only where there is a terminal

        start = _RESTORE_CURSOR if self._is_open else _SAVE_CURSOR + _RESTORE_CURSOR
        self._is_open = True
        self._last = monotonic()
        columns = terminal_columns(self._out)
        self._out.write(f"{start}{status}{' ' * (columns - display_width(status))}")
        self._out.flush()


def terminal_columns(out: TextIO) -> int:
    """Return the width of a terminal."""
    try:
        columns = os.get_terminal_size(out.fileno()).columns
    except OSError:
        columns = 0
    return min(columns or _UNKNOWN_COLUMNS, _MAX_COLUMNS)


class PercentProgress:
    """Progress that knows its end: a bar on a terminal, elsewhere at most a line per second."""

    __slots__ = ("_is_terminal", "_last", "_line", "_out")

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._line = StatusLine(out)
        self._last: float | None = None

    def update(self, status: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps are taken; the first and last are always shown."""
        percent = min(done * _ALL // total, _ALL) if total > 0 else _ALL
        if self._is_terminal:
            if percent == _ALL or self._line.is_due():
                self._line.show(_with_bar(status, percent, terminal_columns(self._out)))
            return
        now = monotonic()
        if self._last is None or percent == _ALL or now - self._last >= _LOG_INTERVAL_S:
            self._last = now
            self._out.write(f"{status} {percent}%\n")
            self._out.flush()

    def finish(self) -> None:
        """Leave the terminal's line."""
        if self._is_terminal:
            self._line.finish()


def _with_bar(status: str, percent: int, columns: int) -> str:
    shown = status[: max(columns - _BAR_MIN_COLUMNS - 1, 0)]
    inside = min(_BAR_COLUMNS, columns - len(shown) - 1) - _BAR_FRAME_COLUMNS
    filled = "=" * (max(inside, 0) * percent // _ALL)
    return f"{shown} [{filled:<{max(inside, 0)}}]{percent:3}%"


@contextmanager
def shown_progress() -> Iterator[ProgressCallback | None]:
    """Give a function that shows progress on standard error, or None if that is no terminal.

    Other than `StatusLine` and `PercentProgress`, whose output programs read, the line is gone
    when the work is over, and not there at all for short work.
    """
    err: TextIO | None = sys.stderr  # None if the caller closed it
    if err is None or not err.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    line = _VanishingLine(err)
    try:
        yield line.show
    finally:
        line.erase()


class _VanishingLine:
    """A line on a terminal that is erased in the end."""

    __slots__ = ("_is_shown", "_out", "_started_s")

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_shown = False
        self._started_s = monotonic()

    def show(self, progress: Progress) -> None:
        if monotonic() - self._started_s < _QUIET_S:
            return
        from pyostree.cli.columns import cut_to

        columns = terminal_columns(self._out)
        self._is_shown = True
        self._out.write(f"{_ERASE_LINE}{cut_to(format_progress_line(progress), columns - 1)}")
        self._out.flush()

    def erase(self) -> None:
        if self._is_shown:
            self._is_shown = False
            self._out.write(_ERASE_LINE)
            self._out.flush()


def format_progress_line(progress: Progress) -> str:
    """Return ``reading: 45% (12/27) 1.2 MB, 3.4 MB/s, 5 seconds left``, as far as that is known."""
    from pyostree.formats.sizes import format_duration, format_size

    fraction, total = progress.fraction, progress.total
    if total is None and not progress.done:
        return str(progress.phase)
    text = f"{progress.phase}:"
    if fraction is not None:
        text += f" {int(fraction * _ALL)}%"
    text += f" ({progress.done}/{total})" if total is not None else f" {progress.done}"
    if progress.bytes_done:
        text += f" {format_size(progress.bytes_done)}"
        if progress.elapsed_s >= 1:
            text += f", {format_size(int(progress.bytes_per_second))}/s"
    left_s = progress.seconds_left
    return text if left_s is None else f"{text}, {format_duration(left_s)}left"
