"""The status line of ``ostree pull`` and ``ostree pull-local``."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import Self, TextIO

from pyostree.cli.progress import StatusLine
from pyostree.pull.progress import PullProgress, PullResult, format_progress, format_result


class PullStatus:
    """Shows a pull on a terminal while it runs, and how it ended anywhere."""

    __slots__ = ("_is_finished", "_line")

    def __init__(self, out: TextIO) -> None:
        self._line = StatusLine(out)
        self._is_finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_finished:
            self._line.finish()  # leaves the line before an error is printed

    def update(self, progress: PullProgress) -> None:
        """Show how far the pull is."""
        self._line.update(format_progress(progress, monotonic()))

    def finish(self, result: PullResult) -> None:
        """Show how the pull ended."""
        self._is_finished = True
        self._line.finish(format_result(result))
