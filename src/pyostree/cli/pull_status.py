"""What ``ostree pull`` and ``ostree pull-local`` show: a bar, the last line, or JSON."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import StringIO
from time import monotonic
from types import TracebackType
from typing import Protocol, Self, TextIO

from pyostree.cli.columns import without_controls
from pyostree.cli.progress import terminal_columns
from pyostree.cli.pull_bar import format_bar
from pyostree.cli.pull_json import (
    done_event,
    error_event,
    progress_event,
    verified_event,
    write_event,
)
from pyostree.cli.signature_text import write_signatures
from pyostree.errors import OstreeError
from pyostree.formats.sizes import format_size
from pyostree.pull.meter import PullMeter, PullSnapshot
from pyostree.pull.progress import (
    PullPhase,
    PullProgress,
    PullResult,
    Verification,
    format_result,
)

_REDRAW_MS = 200
_ERASE_LINE = "\r\x1b[K"


class _View(Protocol):
    """One way to show a pull."""

    @property
    def interval_ms(self) -> int: ...  # between updates, if nobody says; 0 for the library's own
    def update(self, progress: PullProgress) -> None: ...
    def finish(self, result: PullResult) -> None: ...
    def fail(self, err: BaseException | None) -> None: ...


class PullStatus:
    """Shows a pull while it runs, and how it ended; a context manager around it.

    Args:
        out: a terminal gets a bar, anything else only the last line.
        as_json: write events instead.
        shows_signatures: print on a terminal what is found about signatures.
    """

    __slots__ = ("_is_broken", "_is_finished", "_view")

    def __init__(
        self, out: TextIO, *, as_json: bool = False, shows_signatures: bool = False
    ) -> None:
        self._view: _View
        if as_json:
            self._view = _JsonView(out)
        elif out.isatty():
            is_dumb = os.environ.get("TERM") == "dumb"
            kind = _DumbView if is_dumb else _TerminalView
            self._view = kind(out, shows_signatures=shows_signatures)
        else:
            self._view = _LogView(out)
        self._is_finished = self._is_broken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not (self._is_finished or self._is_broken):
            self._view.fail(value)  # leaves the line before an error is printed

    def interval_ms(self, asked: int) -> int:
        """Return the time between updates, given what the user asked for, 0 for nothing."""
        return asked if asked > 0 else self._view.interval_ms

    def update(self, progress: PullProgress) -> None:
        """Show how far the pull is."""
        if self._is_broken:
            return  # it is reported once; what has arrived is still stored
        try:
            self._view.update(progress)
        except OSError:
            self._is_broken = True
            raise

    def finish(self, result: PullResult) -> None:
        """Show how the pull ended."""
        self._is_finished = True
        self._view.finish(result)


class _LogView:
    """Only the last line, as the reference."""

    interval_ms = 0

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def update(self, progress: PullProgress) -> None:
        pass

    def finish(self, result: PullResult) -> None:
        self._out.write(f"{format_result(result)}\n")
        self._out.flush()

    def fail(self, err: BaseException | None) -> None:
        pass


class _News:
    """Hands each result of checking signatures on once."""

    def __init__(self) -> None:
        self._known = 0

    def take(self, progress: PullProgress) -> list[Verification]:
        new = progress.verifications[self._known :]
        self._known += len(new)
        return new


class _DumbView(_LogView):
    """A terminal without cursor: what is to come, and the last line."""

    def __init__(self, out: TextIO, *, shows_signatures: bool) -> None:
        super().__init__(out)
        self._shows_signatures = shows_signatures
        self._news = _News()
        self._is_announced = False

    def update(self, progress: PullProgress) -> None:
        _print_signatures(self._out, self._news.take(progress) if self._shows_signatures else [])
        if progress.phase is not PullPhase.FETCH or self._is_announced:
            return
        self._is_announced = True
        size = "" if not progress.bytes_total else f", {format_size(progress.bytes_total)}"
        self._out.write(f"Receiving {progress.objects_total} objects{size}\n")
        self._out.flush()


class _TerminalView(_LogView):
    """A line that is rewritten in place."""

    interval_ms = _REDRAW_MS

    def __init__(self, out: TextIO, *, shows_signatures: bool) -> None:
        super().__init__(out)
        self._shows_signatures = shows_signatures
        self._news = _News()
        self._meter = PullMeter()
        self._is_drawn = False
        self._next_s = 0.0

    def update(self, progress: PullProgress) -> None:
        if self._shows_signatures and (new := self._news.take(progress)):
            self._erase()
            _print_signatures(self._out, new)
        now_s = monotonic()
        snapshot = self._meter.measure(progress, now_s)
        if now_s < self._next_s:
            return
        self._next_s = now_s + _REDRAW_MS / 1000
        self._is_drawn = True
        # A line that fills the last column would wrap on some terminals.
        line = format_bar(progress, snapshot, terminal_columns(self._out) - 1)
        self._out.write(f"{_ERASE_LINE}{line}")
        self._out.flush()

    def finish(self, result: PullResult) -> None:
        self._erase()
        super().finish(result)

    def fail(self, err: BaseException | None) -> None:
        self._erase()
        self._out.flush()

    def _erase(self) -> None:
        if self._is_drawn:
            self._out.write(_ERASE_LINE)
            self._is_drawn = False


def _print_signatures(out: TextIO, verifications: Sequence[Verification]) -> None:
    for verification in verifications:
        text = StringIO()
        # The reference leaves its line first, whether or not something stood there.
        heading = "\n\nGPG: Verification enabled, found {}"
        write_signatures(text, heading, verification.signatures)
        out.write(without_controls(text.getvalue()))
        out.flush()


class _JsonView:
    """An object a line."""

    interval_ms = 0

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._meter = PullMeter()
        self._last: PullSnapshot | None = None
        self._news = _News()

    def update(self, progress: PullProgress) -> None:
        for verification in self._news.take(progress):
            write_event(self._out, verified_event(verification))
        self._last = self._meter.measure(progress, monotonic())
        if progress.phase is not PullPhase.DONE:  # `finish` says more
            write_event(self._out, progress_event(self._last))

    def finish(self, result: PullResult) -> None:
        write_event(self._out, done_event(result, self._last))

    def fail(self, err: BaseException | None) -> None:
        if isinstance(err, OstreeError | OSError):
            write_event(self._out, error_event(err))
