"""Staging directories: where the objects of a transaction wait, and the cleaning of ``tmp/``.

```
tmp/staging-BOOTID-XXXXXX/         objects, laid out like objects/
tmp/staging-BOOTID-XXXXXX-lock     held while a process uses it
tmp/fetch-BOOTID-CHECKSUM.filez    a download that broke off; without .filez part of a delta
```

A directory left behind by a process of this boot is taken over with its trees and files, so that
an interrupted pull goes on where it stopped; its commits are made or fetched again. One of another
boot is never reused: its data may not have reached the disk.
"""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Callable
from contextlib import suppress

from pyostree.errors import doing
from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir, random_name
from pyostree.fs.lock import LockFile, drop_lock_file, try_lock_file

_ANY_BOOT = "staging-"
_LOCK_SUFFIX = "-lock"
_DOWNLOAD = re.compile(r"fetch-(.+)-([0-9a-f]{64})(\.filez)?")
_OF_COMMITS = (".commit", ".commitmeta")
PREFIX_DIGITS = 2  # of a checksum, in the name of the directory that holds the object
CACHE_NAME = "cache"


class Staging:
    """A locked staging directory.

    Attributes:
        is_reused: it holds objects of an earlier, unfinished transaction.
    """

    def __init__(self, tmp: Dir, name: str, lock: LockFile, *, is_reused: bool) -> None:
        self._tmp = tmp
        self._name = name
        self._lock = lock
        self.is_reused = is_reused
        try:
            self.directory = tmp.open_dir(name, follow=False)
        except BaseException:
            _drop_lock(tmp, name, lock)
            raise

    def delete(self) -> None:
        """Remove the directory with what it holds."""
        self._tmp.remove_tree(self._name)

    def release(self) -> None:
        """Drop the lock; a directory that still exists is left for a later transaction."""
        self.directory.close()
        _drop_lock(self._tmp, self._name, self._lock)


def open_staging(tmp: Dir, boot_id: str) -> Staging:
    """Take over a staging directory of this boot, or create one."""
    prefix = f"{_ANY_BOOT}{boot_id}-"
    for name in tmp.list():
        if name.startswith(prefix) and tmp.is_dir(name, follow=False):
            lock = _lock_directory(tmp, name)
            if lock is not None:
                return _take_over(tmp, name, lock)
    while True:
        name = random_name(prefix)
        with suppress(FileExistsError):
            tmp.make_dir(name, 0o775)
            # Between these two, others may have used and deleted it.
            lock = _lock_directory(tmp, name)
            if lock is not None:
                return Staging(tmp, name, lock, is_reused=False)


def _take_over(tmp: Dir, name: str, lock: LockFile) -> Staging:
    staging = Staging(tmp, name, lock, is_reused=True)
    try:
        _forget_commits(staging.directory)
        tmp.touch(name)
    except BaseException:
        staging.release()
        raise
    return staging


def _forget_commits(directory: Dir) -> None:
    """Remove the commits of an unfinished transaction, with their detached metadata.

    Objects below them that `objects/` had at the time may have been pruned since, and detached
    metadata may have been replaced: published by another transaction, they would do harm.
    """
    for prefix in directory.list():
        if len(prefix) == PREFIX_DIGITS and directory.is_dir(prefix, follow=False):
            with directory.open_dir(prefix, follow=False) as below:
                for name in below.list():
                    if name.endswith(_OF_COMMITS):
                        below.remove(name, missing_ok=True)


def _lock_directory(tmp: Dir, name: str) -> LockFile | None:
    """Lock a staging directory; None when another process has it, or it has gone."""
    lock = _try_lock_file(tmp, name)
    if lock is None:
        return None
    is_there = False
    try:
        is_there = tmp.is_dir(name, follow=False)
    finally:
        if not is_there:
            _drop_lock(tmp, name, lock)
    return lock if is_there else None


def _try_lock_file(tmp: Dir, name: str) -> LockFile | None:
    """Lock the lock file of a staging directory; None when another process has it."""
    try:
        return try_lock_file(tmp, name + _LOCK_SUFFIX, 0o600)
    except PermissionError:  # another user's
        return None


def _drop_lock(tmp: Dir, name: str, lock: LockFile) -> None:
    drop_lock_file(tmp, name + _LOCK_SUFFIX, lock)


def clean_tmp(
    tmp: Dir,
    boot_id: str,
    *,
    expiry_s: int,
    drop_own: bool,
    is_stored: Callable[[Checksum], bool] | None = None,
) -> None:
    """Remove from ``tmp/`` what nobody can use any more.

    Args:
        expiry_s: age in seconds above which stray files go.
        drop_own: also remove unlocked staging directories and downloads of this boot.
        is_stored: whether a file is in the repository, so that its download is of no use.
    """
    own_prefix = f"{_ANY_BOOT}{boot_id}-"
    now = time.time()
    with doing("tmpdir cleanup"):
        for name in tmp.list():
            status = None if name == CACHE_NAME else tmp.try_stat(name)
            if status is None:
                continue
            if name.startswith(_ANY_BOOT) and stat.S_ISDIR(status.st_mode):
                if drop_own or not name.startswith(own_prefix):
                    _clean_staging(tmp, name)
            elif name.startswith(_ANY_BOOT) and name.endswith(_LOCK_SUFFIX):
                # However old: a transaction may take days.
                if not tmp.exists(name.removesuffix(_LOCK_SUFFIX)):
                    _clean_staging(tmp, name.removesuffix(_LOCK_SUFFIX))
            elif now - status.st_mtime > expiry_s:
                tmp.remove_tree(name)
            elif download := _DOWNLOAD.fullmatch(name):
                is_useless = drop_own or download[1] != boot_id
                if is_useless or (download[3] and is_stored and is_stored(_checksum(download))):
                    _drop_download(tmp, name)


def _checksum(download: re.Match[str]) -> Checksum:
    return Checksum(bytes.fromhex(download[2]))


def _drop_download(tmp: Dir, name: str) -> None:
    from pyostree.fs.partial_file import open_partial  # there is seldom one

    file = open_partial(tmp, name)
    if file is not None:  # else it is in use
        file.discard()


def _clean_staging(tmp: Dir, name: str) -> None:
    """Remove a staging directory, if there is one, and its lock file, unless it is in use."""
    with doing(f"Cleaning up txn dir {name}"):
        lock = _try_lock_file(tmp, name)
        if lock is not None:
            try:
                tmp.remove_tree(name)
            finally:
                _drop_lock(tmp, name, lock)
