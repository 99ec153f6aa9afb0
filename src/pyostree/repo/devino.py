"""The devino cache: which inodes are objects of the repository, so that they need no reading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pyostree.formats.objects import Checksum, ObjectType
from pyostree.fs.dir import Dir
from pyostree.repo.repo import Repo
from pyostree.repo.store.listing import LooseDirectory

_PREFIX_DIGITS = 2


class Inode(NamedTuple):
    """Device and inode number: what hard links of one file share."""

    device: int
    number: int


DevinoCache = dict[Inode, Checksum]


def scan_hardlinks(repo: Repo) -> DevinoCache:
    """Return the inodes of all loose content objects, the parent repository's first."""
    found: DevinoCache = {} if repo.parent is None else scan_hardlinks(repo.parent)
    if not repo.mode.is_bare:
        return found
    objects = repo.store.objects
    for first in objects.list():
        if len(first) == _PREFIX_DIGITS and objects.is_dir(first, follow=False):
            with objects.open_dir(first) as directory:
                found.update(_scan(directory, first))
    return found


def _scan(directory: Dir, first: str) -> Iterator[tuple[Inode, Checksum]]:
    numbers = {entry.name: entry.inode() for entry in directory.scan()}
    device = directory.stat_self().st_dev
    # Files of an overlay may have other numbers and devices than its listing says.
    listing_is_true = all(
        _inode(directory, name) == Inode(device, numbers[name]) for name in list(numbers)[:1]
    )
    for name, digest, kind in LooseDirectory(first, list(numbers)).parse():
        if kind is ObjectType.FILE:
            listed = Inode(device, numbers[name])
            inode = listed if listing_is_true else _inode(directory, name)
            if inode is not None:
                yield inode, Checksum(digest)


def _inode(directory: Dir, name: str) -> Inode | None:
    status = directory.try_stat(name)
    return None if status is None else Inode(status.st_dev, status.st_ino)
