"""The minimum of free space: content that would go below it is refused before it is written."""

from __future__ import annotations

import os
import threading

from pyostree.errors import FreeSpaceError
from pyostree.formats.sizes import format_size
from pyostree.fs.dir import Dir
from pyostree.repo.config import RepoConfig


class FreeSpace:
    """Budget of blocks for one transaction; used from several threads.

    A forked helper, which cannot see what the other processes take, asks the file system each time.
    """

    def __init__(self, directory: Dir, config: RepoConfig) -> None:
        self._directory = directory
        self._pid = os.getpid()
        figures = directory.statvfs()
        self._block_bytes = figures.f_bsize
        if config.min_free_bytes is not None:
            reserved = config.min_free_bytes
            self._rule = f"min-free-space-size {reserved >> 20}MB"
        else:
            reserved = figures.f_frsize * figures.f_blocks * config.min_free_percent // 100
            self._rule = f"min-free-space-percent '{config.min_free_percent}%'"
        self._is_limited = reserved > 0
        self._reserved_blocks = reserved // figures.f_bsize
        self._counts_all: bool | None = None
        self._at_first = figures
        self._blocks: int | None = None  # worked out when something is written
        self._lock = threading.Lock()
        self.is_exceeded = False

    def _available(self, figures: os.statvfs_result) -> int:
        if self._counts_all is None:
            # Only who could use the blocks that are kept for root may count them in.
            self._counts_all = _is_privileged()
        free = figures.f_bfree if self._counts_all else figures.f_bavail
        return max(free - self._reserved_blocks, 0)

    def check(self, size_bytes: int) -> None:
        """Make sure that so much fits now, beside what others have written; count nothing.

        Raises:
            FreeSpaceError: it does not.
        """
        if not self._is_limited:
            return
        wanted = size_bytes // self._block_bytes + 1
        if wanted > self._available(self._directory.statvfs()):
            raise self._exceeded(wanted)

    def take(self, size_bytes: int) -> None:
        """Count content in.

        Raises:
            FreeSpaceError: it does not fit.
        """
        if not self._is_limited:
            return
        wanted = size_bytes // self._block_bytes + 1
        with self._lock:
            if os.getpid() != self._pid:
                self._blocks = self._available(self._directory.statvfs())
            elif self._blocks is None:
                self._blocks = self._available(self._at_first)
            if wanted > self._blocks:
                raise self._exceeded(wanted)
            self._blocks -= wanted

    def _exceeded(self, wanted_blocks: int) -> FreeSpaceError:
        self.is_exceeded = True
        size = format_size(wanted_blocks * self._block_bytes)
        return FreeSpaceError(f"{self._rule} would be exceeded, at least {size} requested")

    def give_back(self, size_bytes: int) -> None:
        """Undo `take` for content that was not written after all."""
        if self._is_limited:
            with self._lock:
                assert self._blocks is not None  # something was taken before
                self._blocks += size_bytes // self._block_bytes + 1


def _is_privileged() -> bool:
    from pyostree.fs.mount import is_privileged  # brings ctypes along

    return is_privileged()
