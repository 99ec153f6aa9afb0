"""`Watch`: what long operations tell how far they are; small, because every command loads it.

`progress` explains how it is used, and has the one that listens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyostree.progress import Phase


class Watch:
    """What a long operation tells how far it is; this one does not listen, and lets it run.

    `check` and `advance` may be called from any thread, the rest by the one that runs the
    operation. `check` and `advance` raise `CancelledError`; what the caller's function raises
    passes through and ends the operation, too.
    """

    __slots__ = ()

    @property
    def is_listening(self) -> bool:
        """Whether totals are worth some extra work, such as counting files in advance."""
        return False

    def begin(
        self, phase: Phase, total: int | None = None, *, bytes_total: int | None = None
    ) -> None:
        """Begin a phase, which ends the one before; reports at once."""

    def expect(self, count: int, size: int = 0) -> None:
        """Add to the totals of the phase, where they turn out bit by bit."""

    def advance(self, count: int = 1, size: int = 0) -> None:
        """Count what is done, `size` in bytes; stop here if cancelled."""

    def check(self) -> None:
        """Stop here if cancelled."""

    def finish(self) -> None:
        """End the last phase; reports at once. Not to be called when an error ends it."""


UNWATCHED = Watch()
