"""Staging directories: where the objects of a transaction wait, and the cleaning of ``tmp/``.

```
tmp/staging-BOOTID-XXXXXX/         objects, laid out like objects/
tmp/staging-BOOTID-XXXXXX-lock     held while a process uses it
```

A directory left behind by a process of this boot is taken over with all its content, so that an
interrupted pull goes on where it stopped. One of another boot is never reused: its data may not
have reached the disk.
"""

from __future__ import annotations

import time
from contextlib import suppress

from pyostree.errors import doing
from pyostree.fs.dir import Dir, random_name
from pyostree.fs.lock import LockFile

_ANY_BOOT = "staging-"
_LOCK_SUFFIX = "-lock"
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
        self.directory = tmp.open_dir(name, follow=False)

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
        if not name.startswith(prefix) or not tmp.is_dir(name, follow=False):
            continue
        lock = _try_lock_file(tmp, name)
        if lock is None:
            continue
        if tmp.is_dir(name, follow=False):  # its owner may have finished since it was listed
            tmp.touch(name)
            return Staging(tmp, name, lock, is_reused=True)
        _drop_lock(tmp, name, lock)
    while True:
        name = random_name(prefix)
        with suppress(FileExistsError):
            tmp.make_dir(name, 0o775)
            lock = _try_lock_file(tmp, name)
            if lock is not None:
                return Staging(tmp, name, lock, is_reused=False)


def _try_lock_file(tmp: Dir, name: str) -> LockFile | None:
    """Lock a staging directory; None when another process has it."""
    lock_name = name + _LOCK_SUFFIX
    while True:
        try:
            lock = LockFile(tmp, lock_name, 0o600)
        except PermissionError:  # another user's
            return None
        if not lock.try_lock(exclusive=True):
            lock.close()
            return None
        if lock.is_file(tmp.try_stat(lock_name)):
            return lock
        lock.close()  # its last owner removed the name meanwhile: try the new file


def _drop_lock(tmp: Dir, name: str, lock: LockFile) -> None:
    try:
        tmp.remove(name + _LOCK_SUFFIX, missing_ok=True)
    finally:
        lock.close()


def clean_tmp(tmp: Dir, boot_id: str, *, expiry_s: int, drop_own: bool) -> None:
    """Remove from ``tmp/`` what nobody can use any more.

    Args:
        expiry_s: age in seconds above which stray files go.
        drop_own: also remove unlocked staging directories of this boot.
    """
    own_prefix = f"{_ANY_BOOT}{boot_id}-"
    now = time.time()
    with doing("tmpdir cleanup"):
        for name in tmp.list():
            status = None if name == CACHE_NAME else tmp.try_stat(name)
            if status is None:
                continue
            if name.startswith(_ANY_BOOT) and tmp.is_dir(name, follow=False):
                if drop_own or not name.startswith(own_prefix):
                    _clean_staging(tmp, name)
            elif now - status.st_mtime > expiry_s:
                tmp.remove_tree(name)


def _clean_staging(tmp: Dir, name: str) -> None:
    with doing(f"Cleaning up txn dir {name}"):
        lock = _try_lock_file(tmp, name)
        if lock is not None:
            try:
                tmp.remove_tree(name)
            finally:
                _drop_lock(tmp, name, lock)
