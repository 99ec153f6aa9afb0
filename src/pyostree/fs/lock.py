"""Open-file-description locks: what the reference takes, so that both exclude each other.

``flock`` would not exclude them, and classic record locks vanish when any descriptor of the file is
closed anywhere in the process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import NamedTuple

from pyostree.fs.dir import Dir

_F_OFD_SETLK = 37
_F_OFD_SETLKW = 38
# struct flock on Linux with 64-bit offsets: type, whence, start, length, pid.
_FLOCK = struct.Struct("hhqqi4x")


class LockPart(NamedTuple):
    """Bytes of a lock file, which need not exist; a `length` of 0 is all that follow.

    Where only whole files can be locked, those that do not begin the file are everybody's.
    """

    start: int
    length: int


WHOLE = LockPart(0, 0)


class LockFile:
    """An open lock file; closing it drops its lock."""

    __slots__ = ("_fd",)

    def __init__(self, directory: Dir, name: str, mode: int) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._fd = os.open(name, flags, mode, dir_fd=directory.fileno())
        except OSError as err:
            err.add_note(f"openat({name})")
            raise

    def try_lock(self, *, exclusive: bool, part: LockPart = WHOLE) -> bool:
        """Take or convert the lock without waiting; return whether it was obtained."""
        kind = fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK
        try:
            _set(self._fd, _F_OFD_SETLK, kind, part)
        except OSError as err:
            if err.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise
        return True

    def wait_lock(self, *, exclusive: bool) -> None:
        """Take or convert the lock, waiting as long as it takes."""
        _set(self._fd, _F_OFD_SETLKW, fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK, WHOLE)

    def unlock(self, part: LockPart) -> None:
        """Let others have a part of it."""
        _set(self._fd, _F_OFD_SETLK, fcntl.F_UNLCK, part)

    def is_file(self, status: os.stat_result | None) -> bool:
        """Tell whether `status` is that of this very file."""
        return status is not None and status.st_ino == os.fstat(self._fd).st_ino

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def try_lock_file(directory: Dir, name: str, mode: int) -> LockFile | None:
    """Create and lock a file that whoever drops it removes; None when others have it."""
    while True:
        lock = LockFile(directory, name, mode)
        try:
            if not lock.try_lock(exclusive=True):
                lock.close()
                return None
            if lock.is_file(directory.try_stat(name)):
                return lock
        except BaseException:
            lock.close()
            raise
        lock.close()  # its last owner removed the name meanwhile: try the new file


def drop_lock_file(directory: Dir, name: str, lock: LockFile) -> None:
    """Remove a lock file and drop its lock, in this order."""
    try:
        directory.remove(name, missing_ok=True)
    finally:
        lock.close()


def _set(fd: int, command: int, kind: int, part: LockPart) -> None:
    try:
        fcntl.fcntl(fd, command, _FLOCK.pack(kind, os.SEEK_SET, part.start, part.length, 0))
    except OSError as err:
        if err.errno != errno.EINVAL:
            raise
        if part.start:
            return
        # A kernel or file system without these locks: flock is the reference's fallback too.
        operation = {
            fcntl.F_RDLCK: fcntl.LOCK_SH,
            fcntl.F_WRLCK: fcntl.LOCK_EX,
            fcntl.F_UNLCK: fcntl.LOCK_UN,
        }[kind]
        fcntl.flock(fd, operation if command == _F_OFD_SETLKW else operation | fcntl.LOCK_NB)
