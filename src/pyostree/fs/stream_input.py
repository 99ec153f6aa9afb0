"""`StreamInput`: a file or pipe that one thread reads, and that another can tell to stop."""

from __future__ import annotations

import errno
import fcntl
import os
import select
from contextlib import suppress
from typing import Self

from pyostree.closing import Closing
from pyostree.fs.dir import Dir

_PIPE_BYTES = 1 << 20


class StreamInput(Closing):
    """Owns its descriptor; `stop` ends a `read` that waits, from any thread."""

    __slots__ = ("_fd", "_poll", "_wake_fd")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._poll.register(self._wake_fd, select.POLLIN)
        with suppress(OSError):  # only pipes have that, and only up to the user's limit
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    @classmethod
    def open(cls, path: str) -> Self:
        """Open the file at `path`, following links.

        Raises:
            OSError: it cannot be opened, or is a directory.
        """
        parent, name = Dir.above(path)
        with parent:
            fd = parent.open_read(name)
        return cls(fd)

    @classmethod
    def duplicate(cls, fd: int) -> Self:
        """Read from a descriptor that stays open, such as standard input."""
        return cls(os.dup(fd))

    def close(self) -> None:
        """Close the descriptor; nobody may be reading any more."""
        for fd in (self._fd, self._wake_fd):
            os.close(fd)

    def stop(self) -> None:
        """Let the current and all further reads return at once."""
        os.eventfd_write(self._wake_fd, 1)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, as many as there are now; none at the end, or after `stop`.

        Waits only for the first of them: who writes into a pipe may wait for an answer itself.
        """
        data = self._read_some(size, None)
        if not data or len(data) == size:
            return data
        parts = [data]
        left = size - len(data)
        while left and (more := self._read_some(left, 0)):
            parts.append(more)
            left -= len(more)
        return b"".join(parts)

    def _read_some(self, size: int, timeout: int | None) -> bytes:
        while True:
            ready = dict(self._poll.poll(timeout))
            if self._wake_fd in ready or not ready:
                return b""
            try:
                return os.read(self._fd, size)
            except OSError as err:
                if err.errno != errno.EAGAIN:
                    raise
