"""Sizes of a commit's objects: listed when it is made, summed up when someone asks.

A client can tell from them how much it would have to download, before it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import NotFoundError
from pyostree.formats.commit import Metadata
from pyostree.formats.gvariant import Variant
from pyostree.formats.object_sizes import (
    SIZES_KEY,
    SIZES_TYPE,
    ObjectSize,
    decode_object_size,
    encode_object_size,
)
from pyostree.formats.objects import Checksum, ObjectName, ObjectType

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo
    from pyostree.repo.store.base import ObjectStore


class SizeTotals(NamedTuple):
    """Sums in bytes, and a count."""

    archived: int = 0
    unpacked: int = 0
    objects: int = 0


class CommitSizes(NamedTuple):
    """Totals of the objects that are not in the repository, and of all."""

    needed: SizeTotals
    total: SizeTotals


def read_commit_sizes(repo: Repo, commit: Checksum) -> CommitSizes:
    """Return the totals of a commit.

    Raises:
        NotFoundError: the commit lists no sizes.
        FormatError: it lists them wrongly.
    """
    found = repo.load_commit(commit).lookup(SIZES_KEY)
    if found is None or found.type != SIZES_TYPE:
        raise NotFoundError(f"No metadata key {SIZES_KEY} in commit")
    needed = total = SizeTotals()
    for entry in found.value:
        size = decode_object_size(entry)
        total = _plus(total, size.archived, size.unpacked)
        if not repo.store.has(size.name):
            needed = _plus(needed, size.archived, size.unpacked)
    return CommitSizes(needed, total)


def _plus(sums: SizeTotals, archived: int, unpacked: int) -> SizeTotals:
    return SizeTotals(sums.archived + archived, sums.unpacked + unpacked, sums.objects + 1)


class SizeTable:
    """Unpacked sizes of the objects that a commit meets, first come first served.

    As in the reference, the table is cleared at the start of every layer: it lists the content and
    dirmetas of the last one, and the dirtrees, which are written when all layers are read.
    """

    def __init__(self) -> None:
        self._unpacked: dict[ObjectName, int] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._unpacked.clear()

    def add(self, kind: ObjectType, checksum: Checksum, size: int) -> None:
        """Note an object with its unpacked size in bytes."""
        self._unpacked.setdefault(ObjectName(checksum, kind), size)

    def metadata(self, store: ObjectStore) -> Metadata:
        """Return what belongs into the commit; nothing for an empty table.

        Args:
            store: has all the objects; how large they are archived is asked from it.
        """
        if not self._unpacked:
            return ()
        sizes = sorted(self._sizes(store), key=lambda size: bytes(size.name.checksum))
        entries = tuple(encode_object_size(size) for size in sizes)
        return ((SIZES_KEY, Variant(SIZES_TYPE, entries)),)

    def _sizes(self, store: ObjectStore) -> Iterable[ObjectSize]:
        for name, unpacked in self._unpacked.items():
            archived = store.object_size(name) if name.type is ObjectType.FILE else unpacked
            yield ObjectSize(name, archived, unpacked)
