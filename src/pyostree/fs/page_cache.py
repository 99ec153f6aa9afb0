"""Reading small files without waiting for the disk, in few calls."""

from __future__ import annotations

import errno
import os
import stat as stat_bits
from typing import NamedTuple

from pyostree.fs.dir import Dir

_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Glimpse(NamedTuple):
    """A regular file, and if it could be had at once its content."""

    status: os.stat_result
    data: bytes | None


def glimpse(directory: Dir, below: str, name: str, *, max_bytes: int) -> Glimpse:
    """Look at the file `name` in the directory `below` of `directory`; follow no link.

    Its content comes along when it has at most `max_bytes`, all of them in the page cache.

    Raises:
        OSError: it cannot be opened; ENXIO: it is no regular file.
    """
    parent = os.open(below, _DIRECTORY, dir_fd=directory.fileno())
    try:
        fd = os.open(name, _FILE, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        status = os.fstat(fd)
        if not stat_bits.S_ISREG(status.st_mode):
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO), name)
        is_small = status.st_size <= max_bytes
        return Glimpse(status, _read_if_cached(fd, status.st_size) if is_small else None)
    finally:
        os.close(fd)


def _read_if_cached(fd: int, size: int) -> bytes | None:
    """Return the first `size` bytes; None when some would have to come from the disk."""
    if size == 0:
        return b""
    buffer = bytearray(size)
    try:
        count = os.preadv(fd, [buffer], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return None
    except OSError as err:
        if err.errno not in _NOT_SUPPORTED:
            raise
        count = os.preadv(fd, [buffer], 0)  # a file system that cannot tell
    return bytes(buffer) if count == size else None
