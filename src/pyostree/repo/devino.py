"""The devino cache: which inodes are objects of the repository, so that they need no reading."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.formats.objects import Checksum, ObjectType
from pyostree.repo.repo import Repo


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
    for name in repo.store.iter_objects():
        if name.type is ObjectType.FILE:
            status = objects.try_stat(repo.store.path_of(name))
            if status is not None:
                found[Inode(status.st_dev, status.st_ino)] = name.checksum
    return found
