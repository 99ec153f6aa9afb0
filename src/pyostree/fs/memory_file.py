"""Files that travel between processes: in memory only, or received as a descriptor."""

from __future__ import annotations

import os

from pyostree.fs.tempfile import TempFile


class ReceivedFile(TempFile):
    """A file without a name whose descriptor another process sent; owned from now on."""

    __slots__ = ()

    def __init__(self, fd: int) -> None:
        self._name = None
        self.fd = fd


class MemoryFile(ReceivedFile):
    """A file that is nowhere but in memory, holding `data`."""

    __slots__ = ()

    def __init__(self, data: bytes) -> None:
        super().__init__(os.memfd_create("pyostree", os.MFD_CLOEXEC))
        try:
            self.write(data)
        except BaseException:
            self.close()
            raise
