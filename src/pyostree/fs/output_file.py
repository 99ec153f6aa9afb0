"""`OutputFile`: a file that a person named to be written."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from types import TracebackType
from typing import Self

from pyostree.fs.descriptor import write_all
from pyostree.fs.dir import Dir

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC


class OutputFile:
    """A context manager; an error inside removes the file, unless it was there before.

    Attributes:
        is_regular: no pipe or device.
    """

    __slots__ = ("_directory", "_fd", "_is_new", "_name", "is_regular")

    def __init__(self, path: str) -> None:
        """Create the file at `path`, or empty the one that is there.

        Raises:
            OSError: it cannot be opened.
        """
        self._directory, self._name = Dir.above(path)
        try:
            self._is_new = True
            try:
                self._fd = self._open(os.O_EXCL)
            except FileExistsError:
                self._is_new = False
                self._fd = self._open(os.O_TRUNC)
        except BaseException:
            self._directory.close()
            raise
        self.is_regular = stat.S_ISREG(os.fstat(self._fd).st_mode)

    def _open(self, flags: int) -> int:
        return os.open(self._name, _FLAGS | flags, 0o666, dir_fd=self._directory.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._directory:
            os.close(self._fd)
            if kind is not None and self._is_new:
                with suppress(OSError):
                    self._directory.remove(self._name, missing_ok=True)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`."""
        write_all(self._fd, data)
