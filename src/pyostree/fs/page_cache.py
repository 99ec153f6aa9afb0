"""Reading without waiting for the disk."""

from __future__ import annotations

import errno
import os

_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def read_if_cached(fd: int, size: int) -> bytes | None:
    """Return the first `size` bytes of a file, None when some would have to come from the disk.

    File systems that cannot tell are read.
    """
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
        count = os.preadv(fd, [buffer], 0)
    return bytes(buffer) if count == size else None
