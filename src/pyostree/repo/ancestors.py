"""The directories above the one that a walk through dirtrees has come to."""

from __future__ import annotations

from pyostree.errors import CorruptObjectError
from pyostree.formats.objects import Checksum


class Ancestors:
    """Tells a walk, depth first, where a directory holds itself.

    Hashes rule that out, but a forged store could say so, and the walk would never end.
    """

    __slots__ = ("_line", "_set")

    def __init__(self) -> None:
        self._line: list[Checksum] = []
        self._set: set[Checksum] = set()

    def enter(self, depth: int, tree: Checksum) -> None:
        """Note that the walk is at the dirtree `tree` now, `depth` directories below the top.

        Raises:
            CorruptObjectError: it is one of those above it.
        """
        while len(self._line) > depth:
            self._set.discard(self._line.pop())
        if tree in self._set:
            raise CorruptObjectError(f"{tree}.dirtree contains itself")
        self._line.append(tree)
        self._set.add(tree)
