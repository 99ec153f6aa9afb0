"""`AppendFile`: a file that several processes append whole lines to."""

from __future__ import annotations

import os
from typing import Self

from pyostree.closing import Closing
from pyostree.fs.descriptor import write_all

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


class AppendFile(Closing):
    """Owns one descriptor; what one call of `write` gets stays together in the file."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

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

    def write(self, data: bytes) -> None:
        """Append `data`."""
        write_all(self._fd, data)
