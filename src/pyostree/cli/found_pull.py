"""What commands that pull from several repositories, one after the other, show of it."""

from __future__ import annotations

from typing import TextIO

from pyostree.cli.pull_status import PullStatus
from pyostree.closing import Closing
from pyostree.pull.progress import PullProgress
from pyostree.pull.site import Report


class FoundPull(Closing):
    """Shows a bar for each pull on a terminal, and nothing else anywhere; a context manager.

    Attributes:
        report: to be called with the progress; None where nobody looks.
    """

    __slots__ = ("_out", "_progress", "_status", "report")

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._progress: PullProgress | None = None
        self._status = PullStatus(out)
        self.report: Report | None = self._update if out.isatty() else None

    def close(self) -> None:
        """Leave the line of the bar."""
        self._status.__exit__(None, None, None)

    def _update(self, progress: PullProgress) -> None:
        if progress is not self._progress:
            self._status.__exit__(None, None, None)
            self._progress, self._status = progress, PullStatus(self._out)
        self._status.update(progress)
