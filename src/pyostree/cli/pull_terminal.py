"""A pull on a terminal: a line that is rewritten, and what is found about signatures."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from time import monotonic
from typing import TextIO

from pyostree.cli.columns import without_controls
from pyostree.cli.progress import terminal_columns
from pyostree.cli.pull_bar import format_bar
from pyostree.cli.pull_status import LogView, News
from pyostree.cli.signature_text import write_signatures
from pyostree.formats.sizes import format_size
from pyostree.pull.meter import PullMeter
from pyostree.pull.progress import PullPhase, PullProgress, PullResult, Verification

_REDRAW_MS = 200
_ERASE_LINE = "\r\x1b[K"


class DumbView(LogView):
    """A terminal without cursor: what is to come, and the last line."""

    def __init__(self, out: TextIO, *, shows_signatures: bool) -> None:
        super().__init__(out)
        self._shows_signatures = shows_signatures
        self._news = News()
        self._is_announced = False

    def update(self, progress: PullProgress) -> None:
        _print_signatures(self._out, self._news.take(progress) if self._shows_signatures else [])
        if progress.phase is not PullPhase.FETCH or self._is_announced:
            return
        self._is_announced = True
        size = "" if not progress.bytes_total else f", {format_size(progress.bytes_total)}"
        self._out.write(f"Receiving {progress.objects_total} objects{size}\n")
        self._out.flush()


class TerminalView(LogView):
    """A line that is rewritten in place."""

    interval_ms = _REDRAW_MS

    def __init__(self, out: TextIO, *, shows_signatures: bool) -> None:
        super().__init__(out)
        self._shows_signatures = shows_signatures
        self._news = News()
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
        if verification.message is not None:  # the reference says nothing of those
            continue
        text = StringIO()
        # The reference leaves its line first, whether or not something stood there.
        heading = "\n\nGPG: Verification enabled, found {}"
        write_signatures(text, heading, verification.signatures)
        out.write(without_controls(text.getvalue()))
        out.flush()
