"""`Supplier`: what gets the objects that the walk of a pull asks for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pyostree.formats.commit import Commit
from pyostree.formats.objects import Checksum, ObjectName

if TYPE_CHECKING:
    from pyostree.pull.walk import Walker


class Start(NamedTuple):
    """A commit that was asked for.

    Attributes:
        ref: by which it was; None when by itself.
        current: what that ref is here now.
        depth: parents to pull, too.
    """

    target: Checksum
    ref: str | None
    current: Checksum | None
    depth: int


class Supplier(Protocol):
    """Gets objects into the repository, at once or later, and reports each to the walker.

    Attributes:
        walker: set before anything is asked for.
    """

    walker: Walker

    def begin(self, start: Start) -> None:
        """Get a commit that was asked for, with all that belongs to it."""

    def get_commit(self, checksum: Checksum) -> None:
        """Get a commit with its detached metadata."""

    def get_detached(self, checksum: Checksum) -> None:
        """Get the detached metadata of a stored commit: signatures may have been added."""

    def get_metadata(self, name: ObjectName) -> None:
        """Get a dirtree or dirmeta."""

    def get_content(self, checksum: Checksum) -> None:
        """Get a file; nobody waits for it."""

    def wanted_content(self) -> Iterable[Checksum]:
        """Return the files that have still to be asked for."""

    def step(self) -> bool:
        """Get on with what was asked for; return False when all of it is there."""

    def salvage(self) -> None:
        """After an error: store what has arrived already, for the next attempt."""

    def close(self) -> None:
        """End what still runs, as after an interrupt; called in any case."""


class CommitCheck(Protocol):
    """Decides whether a commit is acceptable."""

    def __call__(self, checksum: Checksum, commit: Commit) -> None:
        """Raise an error for a commit that must not be pulled."""
