"""`PartialFile`: a file with a name while it grows, so that a killed writer loses nothing.

What it holds is never trusted: whoever finishes it checks the whole.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress

from pyostree.fs.dir import Dir
from pyostree.fs.tempfile import TempFile

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_IN_USE = (errno.EAGAIN, errno.EACCES)
_NOT_OURS = (errno.ELOOP, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ENXIO)


class PartialFile(TempFile):
    """The file `name`, to be appended to; `close` leaves it in place, `drop_name` does not.

    Attributes:
        size: bytes it held when it was opened.
    """

    __slots__ = ("_label", "size")

    def __init__(self, directory: Dir, name: str, fd: int, size: int) -> None:
        self._directory = directory
        self._name = None  # it outlives this process: `close` removes nothing
        self._label: str | None = name
        self.fd = fd
        self.size = size

    def drop_name(self) -> None:
        """Make it a file without a name: it is gone when closed."""
        label, self._label = self._label, None
        if label is not None:
            with suppress(FileNotFoundError):
                os.unlink(label, dir_fd=self._directory.fileno())

    def discard(self) -> None:
        """Close the file and remove it."""
        self.drop_name()
        self.close()

    def truncate(self) -> None:
        """Forget the content."""
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)
        self.size = 0


def open_partial(directory: Dir, name: str) -> PartialFile | None:
    """Open `name`, creating it; None when another process writes it, or it is not ours to write."""
    try:
        fd = os.open(name, _FLAGS, 0o600, dir_fd=directory.fileno())
    except OSError as err:
        if err.errno in _NOT_OURS:
            return None
        err.add_note(f"openat({name})")
        raise
    try:
        size = _take(fd)
        if size is None:
            os.close(fd)
            return None
    except BaseException:
        os.close(fd)
        raise
    return PartialFile(directory, name, fd, size)


def _take(fd: int) -> int | None:
    """Lock the file and go to its end; return its size, None when it cannot be had."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        if err.errno in _IN_USE:
            return None
        raise
    status = os.fstat(fd)
    # Without a name: its writer has just finished it.
    is_usable = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    if not is_usable or status.st_uid != os.geteuid():
        return None
    return os.lseek(fd, 0, os.SEEK_END)
