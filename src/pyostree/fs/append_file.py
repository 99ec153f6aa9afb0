"""`AppendFile`: a file that several processes append lines to."""

from __future__ import annotations

import os
import select
from typing import Self

from pyostree.closing import Closing

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_NEWLINE = 10

# What one write puts into a pipe together; into a file it is any amount.
MAX_TOGETHER_BYTES = select.PIPE_BUF


class AppendFile(Closing):
    """Owns one descriptor; `MAX_TOGETHER_BYTES` of one call of `write` stay together."""

    __slots__ = ("_fd", "_is_torn")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._is_torn = False

    @classmethod
    def open(cls, path: str, mode: int = 0o640) -> Self:
        """Open the file at `path`, which may be there already; a new one gets `mode`."""
        try:
            fd = os.open(path, _APPEND, mode)
        except OSError as err:
            err.add_note(f"Error opening file “{path}”")
            raise
        os.set_blocking(fd, True)
        return cls(fd)

    @classmethod
    def duplicate(cls, fd: int) -> Self:
        """Return a file of its own for a descriptor that stays open, such as standard output."""
        return cls(os.dup(fd))

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def write(self, lines: bytes) -> None:
        """Append whole lines; wait for as long as the reader of a pipe takes.

        Raises:
            OSError: the disk is full, or the reader has gone. Part of a line may have been
                written; the next call ends it first.
        """
        view = memoryview(b"\n" + lines if self._is_torn else lines)
        while view:
            try:
                count = os.write(self._fd, view)
            except BlockingIOError:  # who gave us the descriptor has it non-blocking
                select.select((), (self._fd,), ())
                continue
            self._is_torn = view[count - 1] != _NEWLINE
            view = view[count:]
