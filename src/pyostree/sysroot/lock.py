"""The lock of a sysroot: a file that exists only while someone holds it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pyostree.fs.dir import Dir
from pyostree.fs.lock import LockFile

_NAME = "ostree/lock"
_MODE = 0o600
_REMIND_S = 3.0


class SysrootLock:
    """An exclusive lock on ``ostree/lock`` of one sysroot."""

    def __init__(self, sysroot: Dir) -> None:
        self._sysroot = sysroot
        self._file: LockFile | None = None

    def acquire(self, on_wait: Callable[[], None] | None = None) -> None:
        """Take the lock, waiting as long as it takes.

        Args:
            on_wait: called at once and every three seconds while someone else has it.
        """
        while self._file is None:
            file = self._open()
            try:
                if not file.try_lock(exclusive=True):
                    _wait(file, on_wait)
                # The last owner may have removed this file; then newcomers lock another one.
                if file.is_file(self._sysroot.try_stat(_NAME)):
                    self._file = file
            finally:
                if self._file is not file:
                    file.close()

    def _open(self) -> LockFile:
        try:
            return LockFile(self._sysroot, _NAME, _MODE)
        except OSError as err:
            err.__notes__.clear()  # the reference gives the bare reason
            raise

    def release(self) -> None:
        """Give the lock back; without it nothing happens."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            # First, or another process could take a lock on a file that is about to vanish.
            self._sysroot.remove(_NAME, missing_ok=True)
        finally:
            file.close()


def _wait(file: LockFile, on_wait: Callable[[], None] | None) -> None:
    if on_wait is None:
        file.wait_lock(exclusive=True)
        return
    failures: list[OSError] = []

    def block() -> None:
        try:
            file.wait_lock(exclusive=True)
        except OSError as err:
            failures.append(err)

    waiting = threading.Thread(target=block, daemon=True)
    waiting.start()
    while waiting.is_alive():
        on_wait()
        waiting.join(_REMIND_S)
    if failures:
        raise failures[0]
