"""How much of a commit a repository lacks, from the sizes that the commit lists."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import NotFoundError
from pyostree.formats.object_sizes import SIZES_KEY, SIZES_TYPE, decode_object_size
from pyostree.formats.objects import Checksum
from pyostree.repo.repo import Repo


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
