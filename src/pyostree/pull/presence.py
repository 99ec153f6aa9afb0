"""Which content a repository has, asked for tens of thousands of objects in a row.

Looking at a directory once is cheaper than asking for a dozen files in it, unless it is a large
one: directories are read once it is clear that there are many questions about each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyostree.formats.objects import Checksum, ObjectName, ObjectType

if TYPE_CHECKING:
    from pyostree.repo.store.base import ObjectStore

_PREFIXES = 256
# To open and read a directory takes as long as this many questions, and each so many entries
# as long as one.
_QUESTIONS_TO_OPEN = 6
_ENTRIES_PER_QUESTION = 12
# Asking is given up when it has cost this part of reading everything: more is likely to come.
_PATIENCE = 4


class ContentPresence:
    """Tells what is published, for a while in which nothing else publishes what one asks for.

    An object that somebody else adds meanwhile may be called missing; nothing is called present
    that is not.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._end = f".{store.settings.mode.content_extension}"
        self._asked = 0
        self._present: list[frozenset[str] | None] = [None] * _PREFIXES
        self._affordable = 0

    def missing(self, digests: Iterable[bytes]) -> list[bytes]:
        """Return those that neither the repository nor a parent has as content objects."""
        found = []
        for digest in digests:
            present = self._present[digest[0]]
            if present is None:
                present = self._consider(digest[0])
            if present is None:
                if not self._store.is_published(_name(digest)):
                    found.append(digest)
            elif f"{digest.hex()[2:]}{self._end}" not in present and not self._has_parent(digest):
                found.append(digest)
        return found

    def _has_parent(self, digest: bytes) -> bool:
        parent = self._store.parent
        return parent is not None and parent.has(_name(digest))

    def _consider(self, prefix: int) -> frozenset[str] | None:
        self._asked += 1
        if self._asked == 1 or self._asked > self._affordable:
            return self._read(prefix)
        return None

    def _read(self, prefix: int) -> frozenset[str]:
        present = self._store.published_names(f"{prefix:02x}")
        # Checksums spread evenly: the others are as large, and there will be as many questions.
        in_questions = _QUESTIONS_TO_OPEN + len(present) // _ENTRIES_PER_QUESTION
        self._affordable = _PREFIXES * in_questions // _PATIENCE
        self._present[prefix] = present
        return present


def _name(digest: bytes) -> ObjectName:
    return ObjectName(Checksum(digest), ObjectType.FILE)
