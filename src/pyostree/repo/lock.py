"""The repository lock: shared for writers of objects, exclusive for those who delete them.

Locks nest per open repository; a request for the shared lock while the exclusive one is held stays
exclusive, and dropping the last exclusive hold with shared ones left converts back.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyostree.fs.dir import Dir
from pyostree.fs.lock import LockFile
from pyostree.repo.config import WAIT_FOREVER

_LOCK_NAME = ".lock"
_RETRY_S = 1.0


class RepoLock:
    """Counts holds on ``.lock``; used from one thread."""

    def __init__(self, directory: Dir, *, timeout_s: int, enabled: bool = True) -> None:
        self._directory = directory
        self._timeout_s = timeout_s
        self._is_enabled = enabled
        self._file: LockFile | None = None
        self._shared = 0
        self._exclusive = 0

    def close(self) -> None:
        """Drop everything."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    @contextmanager
    def held(self, *, exclusive: bool) -> Iterator[None]:
        """Hold the lock.

        Raises:
            OSError: EAGAIN when others hold it for longer than the timeout.
        """
        self.acquire(exclusive=exclusive)
        try:
            yield
        finally:
            self.release(exclusive=exclusive)

    def acquire(self, *, exclusive: bool) -> None:
        """Take one hold (errors as `held`)."""
        if self._exclusive == 0 and (exclusive or self._shared == 0):
            self._take(exclusive=exclusive)
        if exclusive:
            self._exclusive += 1
        else:
            self._shared += 1

    def release(self, *, exclusive: bool) -> None:
        """Give one hold back."""
        if exclusive:
            self._exclusive -= 1
        else:
            self._shared -= 1
        if self._exclusive:
            return
        if not self._shared:
            self.close()
        elif exclusive and self._file is not None:
            self._file.try_lock(exclusive=False)

    def _take(self, *, exclusive: bool) -> None:
        if not self._is_enabled:
            return
        if self._file is None:
            self._file = LockFile(self._directory, _LOCK_NAME, 0o660)
        if self._timeout_s == WAIT_FOREVER:
            self._file.wait_lock(exclusive=exclusive)
            return
        waited_s = 0.0
        while not self._file.try_lock(exclusive=exclusive):
            if waited_s >= self._timeout_s:
                if not self._shared:
                    self.close()
                kind = "exclusive" if exclusive else "shared"
                err = BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                err.add_note(f"Locking repo {kind} failed")
                raise err
            time.sleep(_RETRY_S)
            waited_s += _RETRY_S
