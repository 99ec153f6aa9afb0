"""The devino cache: which inodes are objects of the repository, so that they need no reading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pyostree.formats.objects import Checksum, ObjectName, ObjectType, loose_path
from pyostree.fs.dir import Dir
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo
from pyostree.repo.staging import PREFIX_DIGITS
from pyostree.repo.store.listing import LooseDirectory
from pyostree.repo.uncompressed_cache import CACHE_NAME


class Inode(NamedTuple):
    """Device and inode number: what hard links of one file share."""

    device: int
    number: int


DevinoCache = dict[Inode, Checksum]


class KnownInodes:
    """Finds the object that a file is, within one transaction; used from several threads.

    What a scan found in the same transaction is true. What a checkout has noted is checked: since
    then the object may have been deleted, and its number given to another file.
    """

    def __init__(self, repo: Repo, scanned: DevinoCache, noted: DevinoCache) -> None:
        self._repo = repo
        self._scanned = scanned
        self._noted = noted

    @property
    def is_empty(self) -> bool:
        """Whether no inode is known at all."""
        return not (self._scanned or self._noted)

    def find(self, inode: Inode) -> Checksum | None:
        """Return the object of which a file that exists is a hard link; None if not known."""
        scanned = self._scanned.get(inode)
        if scanned is not None or not self._noted:
            return scanned
        noted = self._noted.get(inode)
        return noted if noted is not None and self._is_still(inode, noted) else None

    def _is_still(self, inode: Inode, checksum: Checksum) -> bool:
        path = loose_path(checksum, "file")
        repo: Repo | None = self._repo
        while repo is not None:
            if repo.mode.is_bare and _inode(repo.store.objects, path) == inode:
                return True
            repo = repo.parent
        # Of an archive, files unpacked for checkouts are linked; they may outlive their objects.
        return (
            self._repo.mode is RepoMode.ARCHIVE
            and _inode(self._repo.dir, f"{CACHE_NAME}/{path}") == inode
            and self._repo.store.has(ObjectName(checksum, ObjectType.FILE))
        )


def scan_hardlinks(repo: Repo) -> DevinoCache:
    """Return the inodes of all loose content objects, the parent repository's first."""
    found: DevinoCache = {} if repo.parent is None else scan_hardlinks(repo.parent)
    if not repo.mode.is_bare:
        return found
    objects = repo.store.objects
    for first in objects.list():
        if len(first) == PREFIX_DIGITS and objects.is_dir(first, follow=False):
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
