"""Files as memory: their bytes can be sliced without being read first."""

from __future__ import annotations

import mmap
import os
from contextlib import suppress

from pyostree.closing import Closing


class Mapping(Closing):
    """The content of an open file, read-only; a context manager.

    The file must not become shorter meanwhile.

    Attributes:
        data: its bytes.
    """

    __slots__ = ("_map", "data")

    def __init__(self, fd: int) -> None:
        self._map: mmap.mmap | None = None
        self.data = memoryview(b"")
        if os.fstat(fd).st_size:  # nothing cannot be mapped
            self._map = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
            self.data = memoryview(self._map)

    def close(self) -> None:
        """Give the memory back; slices of `data` that are still in use keep it."""
        with suppress(BufferError):
            self.data.release()
            if self._map is not None:
                self._map.close()
