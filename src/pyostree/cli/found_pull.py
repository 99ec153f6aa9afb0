"""What commands that pull from several repositories, one after the other, show of it."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TextIO

from pyostree.cli.pull_status import PullStatus
from pyostree.pull.progress import PullProgress
from pyostree.pull.site import Report


class FoundPull:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._status.__exit__(None, None, None)  # leaves the line

    def _update(self, progress: PullProgress) -> None:
        if progress is not self._progress:
            self._status.__exit__(None, None, None)
            self._progress, self._status = progress, PullStatus(self._out)
        self._status.update(progress)
