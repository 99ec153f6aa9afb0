"""What ``ostree pull`` and ``ostree pull-local`` show: a bar, the last line, or JSON."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TextIO

from pyostree.pull.progress import PullProgress, PullResult, Verification
from pyostree.pull.progress_text import format_result


class View(Protocol):
    """One way to show a pull."""

    @property
    def interval_ms(self) -> int: ...  # between updates, if nobody says; 0 for the library's own
    def update(self, progress: PullProgress) -> None: ...
    def finish(self, result: PullResult) -> None: ...
    def fail(self, err: BaseException | None) -> None: ...


class PullStatus:
    """Shows a pull while it runs, and how it ended; a context manager around it.

    Where nobody calls `finish`, the last line is only for terminals, as in the reference.

    Args:
        out: a terminal gets a bar, anything else only the last line.
        as_json: write events instead.
        shows_signatures: print on a terminal what is found about signatures.
    """

    __slots__ = ("_is_broken", "_is_finished", "_result", "_view")

    def __init__(
        self, out: TextIO, *, as_json: bool = False, shows_signatures: bool = False
    ) -> None:
        self._view = _choose(out, as_json=as_json, shows_signatures=shows_signatures)
        self._is_finished = self._is_broken = False
        self._result: PullResult | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_finished or self._is_broken:
            return
        if value is None and self._result is not None and self.report is not None:
            self.finish(self._result)
        else:
            self._view.fail(value)  # leaves the line before an error is printed

    def interval_ms(self, asked: int) -> int:
        """Return the time between updates, given what the user asked for, 0 for nothing."""
        return asked if asked > 0 else self._view.interval_ms

    @property
    def report(self) -> Callable[[PullProgress], None] | None:
        """What to call with the progress; None when nobody looks."""
        return None if type(self._view) is LogView else self.update

    def update(self, progress: PullProgress) -> None:
        """Show how far the pull is."""
        self._result = progress.result
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


def _choose(out: TextIO, *, as_json: bool, shows_signatures: bool) -> View:
    # Most pulls are neither watched by a person nor by a program.
    if as_json:
        from pyostree.cli.pull_json import JsonView

        return JsonView(out)
    if not out.isatty():
        return LogView(out)
    from pyostree.cli.pull_terminal import DumbView, TerminalView

    if os.environ.get("TERM") == "dumb":
        return DumbView(out, shows_signatures=shows_signatures)
    return TerminalView(out, shows_signatures=shows_signatures)


class LogView:
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


class News:
    """Hands each result of checking signatures on once; for a pull, or several in turn."""

    def __init__(self) -> None:
        self._progress: PullProgress | None = None
        self._known = 0

    def take(self, progress: PullProgress) -> list[Verification]:
        """Return what was found since the last time."""
        if progress is not self._progress:
            self._progress, self._known = progress, 0
        new = progress.verifications[self._known :]
        self._known += len(new)
        return new
