"""The repository lock: shared for writers of objects, exclusive for those who delete them.

Locks nest per open repository; a request for the shared lock while the exclusive one is held stays
exclusive, and dropping the last exclusive hold with shared ones left converts back.

The kernel lets a newcomer share a lock that others share, so writers who overlap would keep a prune
waiting for ever. Whoever wants a lock therefore first takes its turn, a lock on the last part of
the file: newcomers queue behind one who waits for all others to finish. That is courtesy only, not
needed for safety, and it ends after a while: a writer may be waiting for a newcomer. The reference
locks all of the file; its newcomers queue too.

Directories are left alone: scripts lock them with ``flock`` while they run our commands.
"""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from pyostree.fs.dir import Dir
from pyostree.fs.lock import LockFile, LockPart, drop_lock_file, try_lock_file
from pyostree.repo.config import WAIT_FOREVER
from pyostree.watch import UNWATCHED, Watch

_LOCK_NAME = ".lock"
_TURN = LockPart(1 << 62, 1)
_OURS = LockPart(0, _TURN.start)
_RETRY_S = 0.02
_COURTESY_S = 30.0
_NO_RIGHTS = (errno.EACCES, errno.EPERM, errno.ENOENT, errno.EROFS)


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
    def held(self, *, exclusive: bool, watch: Watch = UNWATCHED) -> Iterator[None]:
        """Hold the lock.

        Raises:
            OSError: EAGAIN when others hold it for longer than the timeout.
            CancelledError: `watch` wishes so while others hold it.
        """
        self.acquire(exclusive=exclusive, watch=watch)
        try:
            yield
        finally:
            self.release(exclusive=exclusive)

    def acquire(self, *, exclusive: bool, watch: Watch = UNWATCHED) -> None:
        """Take one hold (errors as `held`)."""
        if self._exclusive == 0 and (exclusive or self._shared == 0):
            try:
                self._take(watch, exclusive=exclusive)
            except BaseException:
                if not self._shared:
                    self.close()
                raise
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
            self._file.try_lock(exclusive=False, part=_OURS)

    def _take(self, watch: Watch, *, exclusive: bool) -> None:
        if not self._is_enabled:
            return
        if self._file is None:
            self._file = LockFile(self._directory, _LOCK_NAME, 0o660)
        file = self._file
        try:
            self._wait(file, watch, exclusive=exclusive)
        finally:
            file.unlock(_TURN)

    def _wait(self, file: LockFile, watch: Watch, *, exclusive: bool) -> None:
        started = time.monotonic()
        limit_s = math.inf if self._timeout_s == WAIT_FOREVER else self._timeout_s
        courtesy_s = min(limit_s, _COURTESY_S)
        _retry(lambda: file.try_lock(exclusive=exclusive, part=_TURN), courtesy_s, watch)
        while not file.try_lock(exclusive=exclusive, part=_OURS):
            waited_s = time.monotonic() - started
            if waited_s >= limit_s:
                _fail(exclusive=exclusive)
            if waited_s >= _COURTESY_S:
                file.unlock(_TURN)
            watch.check()
            time.sleep(_RETRY_S)


def _fail(*, exclusive: bool) -> NoReturn:
    kind = "exclusive" if exclusive else "shared"
    err = BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    err.add_note(f"Locking repo {kind} failed")
    raise err


@contextmanager
def one_at_a_time(tmp: Dir, name: str) -> Iterator[None]:
    """Let others who do the same go first, so that the last to begin is the last to end.

    Courtesy as well: after a while, or without the rights, it goes on without its turn.

    Args:
        tmp: holds a lock file during the turn.
        name: of that file.
    """
    taken: list[LockFile] = []

    def attempt() -> bool:
        file = try_lock_file(tmp, name, 0o660)
        if file is not None:
            taken.append(file)
        return file is not None

    try:
        with _tolerated(*_NO_RIGHTS):
            _retry(attempt, _COURTESY_S)
            if taken:
                tmp.touch(name)  # one left behind may be so old that others would clean it away
        yield
    finally:
        for file in taken:
            with suppress(PermissionError):
                drop_lock_file(tmp, name, file)


@contextmanager
def _tolerated(*codes: int) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        if err.errno not in codes:
            raise


def _retry(attempt: Callable[[], bool], limit_s: float, watch: Watch = UNWATCHED) -> None:
    """Call `attempt` until it succeeds or the time is up."""
    started = time.monotonic()
    while not attempt() and time.monotonic() - started < limit_s:
        watch.check()
        time.sleep(_RETRY_S)
