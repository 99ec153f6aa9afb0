"""`FsckReport`: what a check of the repository found."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import CancelledError, OstreeError, describe
from pyostree.progress import Watch
from pyostree.repo.fsck import FsckOptions, fsck
from pyostree.repo.repo import Repo


class FsckReport(NamedTuple):
    """Outcome of a check.

    Attributes:
        commits: commits that were checked with all their objects; None if there are problems.
        problems: what is wrong, for people; empty if nothing is.
        notes: what else is worth knowing, such as partial commits that were left out.
    """

    commits: int | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class _Listener:
    """Collects what a check tells."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.notes: list[str] = []

    def begin(self, step: str) -> None:
        pass

    def find(self, problem: str) -> None:
        self.problems.append(problem)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, done: int, total: int) -> None:
        pass


def check(repo: Repo, options: FsckOptions | None, watch: Watch) -> FsckReport:
    """Check a repository; problems are returned, not raised."""
    listener = _Listener()
    commits: int | None = None
    try:
        commits = fsck(repo, options or FsckOptions(keep_going=True), listener, watch)
    except CancelledError:
        raise
    except OstreeError as err:
        # The last word of a check that found something, or what made it stop.
        if not listener.problems or describe(err) != "Repository corruption encountered":
            listener.problems.append(describe(err))
    return FsckReport(commits, tuple(listener.problems), tuple(listener.notes))
