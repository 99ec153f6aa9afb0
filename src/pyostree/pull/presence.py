"""Which content a repository has, asked for tens of thousands of objects in a row.

Looking at a directory once is cheaper than asking for a dozen files in it, unless it is a large
one: it is read as soon as the questions about it have cost as much as reading it would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyostree.formats.objects import Checksum, ObjectName, ObjectType

if TYPE_CHECKING:
    from pyostree.repo.store.base import ObjectStore

_PREFIXES = 256
# To open and read a directory takes as long as this many questions, and each so many entries
# as long as one.
_QUESTIONS_TO_OPEN = 6
_ENTRIES_PER_QUESTION = 12


class ContentPresence:
    """Tells what is published, for a while in which nothing else publishes what one asks for.

    An object that somebody else adds meanwhile may be called missing; nothing is called present
    that is not.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._extension = f".{store.settings.mode.content_extension}"
        self._asked = [0] * _PREFIXES
        self._names: list[frozenset[str] | None] = [None] * _PREFIXES
        self._affordable = 0
        self._is_first = True

    def __call__(self, checksum: Checksum) -> bool:
        """Tell whether the repository or a parent has the content object."""
        prefix = checksum[0]
        names = self._names[prefix]
        if names is None:
            names = self._consider(prefix)
        if names is None:
            return self._store.is_published(ObjectName(checksum, ObjectType.FILE))
        if f"{checksum[1:].hex()}{self._extension}" in names:
            return True
        parent = self._store.parent
        return parent is not None and parent.has(ObjectName(checksum, ObjectType.FILE))

    def _consider(self, prefix: int) -> frozenset[str] | None:
        self._asked[prefix] += 1
        if self._is_first or self._asked[prefix] > self._affordable:
            self._is_first = False
            return self._read(prefix)
        return None

    def _read(self, prefix: int) -> frozenset[str]:
        try:
            with self._store.objects.open_dir(f"{prefix:02x}") as directory:
                names = frozenset(directory.list())
        except FileNotFoundError:
            names = frozenset()
        # Checksums spread evenly: the others are as large.
        self._affordable = _QUESTIONS_TO_OPEN + len(names) // _ENTRIES_PER_QUESTION
        self._names[prefix] = names
        return names
