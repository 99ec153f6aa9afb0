"""What becomes of the problems that a check finds: told, deleted, their commits marked partial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from pyostree.errors import CorruptObjectError
from pyostree.formats.objects import Checksum, ObjectType
from pyostree.repo.fsck_objects import Problem
from pyostree.repo.repo import Repo
from pyostree.repo.users import ObjectUsers

FOUND_BY_FSCK = b"f"
# Looking for the users of many objects costs as much as for those of one.
_FIRST_WAITING = 256


class FsckOptions(NamedTuple):
    """What to check, and what to do about what is found.

    Attributes:
        keep_going: report corrupt objects and go on; otherwise the first is raised.
        delete: report and delete them.
        add_tombstones: delete commits whose parent is missing, leaving tombstones.
        verify_bindings: check that commits belong to the refs that point to them.
        verify_back_refs: check that the refs to which commits belong point to them.
    """

    keep_going: bool = False
    delete: bool = False
    add_tombstones: bool = False
    verify_bindings: bool = False
    verify_back_refs: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether a corrupt object is no reason to stop."""
        return self.keep_going or self.delete


class FsckListener(Protocol):
    """Is told what a check does and finds."""

    def begin(self, step: str) -> None: ...
    def find(self, problem: str) -> None: ...
    def note(self, text: str) -> None: ...
    def progress(self, done: int, total: int) -> None: ...


class FsckReporter:
    """Collects problems until it is worth while to look for the commits that they concern.

    Attributes:
        has_problem: whether there was any.
    """

    def __init__(
        self,
        repo: Repo,
        options: FsckOptions,
        listener: FsckListener,
        roots: Mapping[Checksum, tuple[Checksum, Checksum]],
    ) -> None:
        self.has_problem = False
        self._repo = repo
        self._options = options
        self._listener = listener
        self._roots = roots
        self._users: ObjectUsers | None = None
        self._waiting: list[Problem] = []
        self._limit = _FIRST_WAITING

    def add(self, problem: Problem) -> None:
        """Take a problem of an object in the tree of a commit.

        Raises:
            CorruptObjectError: the check ends at the first corrupt object.
        """
        self._waiting.append(problem)
        is_end = problem.message is not None and not self._options.goes_on
        if is_end or len(self._waiting) >= self._limit:
            self.flush()
            self._limit *= 2  # each look takes as long as all objects do: few looks in all

    def flush(self) -> None:
        """Report what was collected (errors as `add`)."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        if self._users is None:
            self._users = ObjectUsers(self._repo, self._roots)
        users = self._users.commits_using([problem.name for problem in waiting])
        self._report_all(list(zip(waiting, users, strict=True)))

    def report(self, problem: Problem, commits: list[Checksum]) -> None:
        """Report a problem of an object that these commits use (errors as `add`)."""
        self._report_all([(problem, commits)])

    def _report_all(self, found: list[tuple[Problem, list[Checksum]]]) -> None:
        """Report problems; all bad objects go before the first commit is marked.

        A check looks into no marked commit: one that was interrupted in between would leave bad
        objects in it for good, and a pull would take them for sound.
        """
        incomplete: dict[Checksum, None] = {}
        try:
            for problem, commits in found:
                if self._tell(problem, commits) and problem.name.type is not ObjectType.COMMIT:
                    incomplete.update(dict.fromkeys(commits))
        finally:
            self._mark_partial(incomplete)

    def _tell(self, problem: Problem, commits: list[Checksum]) -> bool:
        """Report one problem, and delete the object if asked to; tell whether it is gone."""
        self.has_problem = True
        listed = ", ".join(map(str, commits))
        name, message, is_unknown = problem
        if message is None:
            where = f" in commits {listed}" if listed else ""
            self._listener.find(f"Object missing{where}: {name}")
            return True
        message = f"In commits {listed}: {message}" if listed else message
        if not self._options.goes_on:
            raise CorruptObjectError(message)
        self._listener.find(message)
        if is_unknown or not self._options.delete:
            return False
        self._delete(problem)
        return True

    def _delete(self, problem: Problem) -> None:
        # A writer that is at work may count on the object that it saw.
        with self._repo.lock.held(exclusive=True):
            if self._repo.store.has_own(problem.name):
                self._repo.store.delete(problem.name)

    def _mark_partial(self, commits: Iterable[Checksum]) -> None:
        for commit in commits:
            if not self._repo.is_partial(commit):
                self._listener.find(f"Marking commit as partial: {commit}")
                self._repo.mark_partial(commit, FOUND_BY_FSCK)
