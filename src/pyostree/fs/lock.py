"""Open-file-description locks: what the reference takes, so that both exclude each other.

``flock`` would not exclude them, and classic record locks vanish when any descriptor of the file is
closed anywhere in the process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import Self

from pyostree.fs.dir import Dir

_F_OFD_SETLK = 37
_F_OFD_SETLKW = 38
# struct flock on Linux with 64-bit offsets: type, whence, start, length, pid.
_FLOCK = struct.Struct("hhqqi4x")


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

    def try_lock(self, *, exclusive: bool) -> bool:
        """Take or convert the lock without waiting; return whether it was obtained."""
        kind = fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK
        try:
            _set(self._fd, _F_OFD_SETLK, kind)
        except OSError as err:
            if err.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise
        return True

    def wait_lock(self, *, exclusive: bool) -> None:
        """Take or convert the lock, waiting as long as it takes."""
        _set(self._fd, _F_OFD_SETLKW, fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK)

    def is_file(self, status: os.stat_result | None) -> bool:
        """Tell whether `status` is that of this very file."""
        return status is not None and status.st_ino == os.fstat(self._fd).st_ino

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class DirectoryLock:
    """A lock on a directory itself, which needs no file; a context manager that drops it.

    It is of the ``flock`` kind, which excludes no `LockFile`. File systems that cannot lock a
    directory let everybody have it.
    """

    __slots__ = ("_fd",)

    def __init__(self, directory: Dir) -> None:
        # A descriptor of its own: the lock belongs to the open file, which duplicates share.
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._fd = os.open(".", flags, dir_fd=directory.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def try_lock(self, *, exclusive: bool) -> bool:
        """Take the lock without waiting; return False when others have it."""
        try:
            fcntl.flock(self._fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError as err:
            return err.errno != errno.EWOULDBLOCK
        return True

    def unlock(self) -> None:
        """Let others have it."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Drop the lock; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _set(fd: int, command: int, kind: int) -> None:
    try:
        fcntl.fcntl(fd, command, _FLOCK.pack(kind, os.SEEK_SET, 0, 0, 0))
    except OSError as err:
        if err.errno != errno.EINVAL:
            raise
        # A kernel or file system without these locks: flock is the reference's fallback too.
        operation = {
            fcntl.F_RDLCK: fcntl.LOCK_SH,
            fcntl.F_WRLCK: fcntl.LOCK_EX,
            fcntl.F_UNLCK: fcntl.LOCK_UN,
        }[kind]
        fcntl.flock(fd, operation if command == _F_OFD_SETLKW else operation | fcntl.LOCK_NB)
