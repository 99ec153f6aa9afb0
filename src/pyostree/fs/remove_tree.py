"""Removal of directory trees of any depth."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from pyostree.fs.descriptor import OPEN_DIR

# Deeper trees are removed with their upper directories closed in the meantime.
_MAX_OPEN_LEVELS = 200


class _Level:
    """One directory of a tree being removed; `fd` is -1 while it is closed to save descriptors."""

    __slots__ = ("below", "fd", "identity", "name")

    def __init__(self, parent_fd: int, name: str) -> None:
        self.name = name
        self.below: list[str] = []
        self.fd = os.open(name, OPEN_DIR | os.O_NOFOLLOW, dir_fd=parent_fd)
        try:
            status = os.fstat(self.fd)
            self.identity = (status.st_dev, status.st_ino)
            self._remove_files()
        except BaseException:
            self.close()
            raise

    def _remove_files(self) -> None:
        with os.scandir(self.fd) as found:
            entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
        for entry, is_dir in entries:
            if is_dir:
                self.below.append(entry)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(entry, dir_fd=self.fd)

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def reopen_from(self, child: _Level) -> None:
        """Open the directory again as the parent of `child`, if it still is."""
        if self.fd >= 0:
            return
        fd = os.open("..", OPEN_DIR, dir_fd=child.fd)
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) != self.identity:
            os.close(fd)
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self.fd = fd


def remove_directory(parent_fd: int, name: str) -> None:
    """Remove the directory tree `name`, with an explicit stack of directories.

    What somebody else removes in the meantime is as good as removed.
    """
    stack: list[_Level] = []
    try:
        with suppress(FileNotFoundError):
            stack.append(_Level(parent_fd, name))
        while stack:
            level = stack[-1]
            if level.below:
                with suppress(FileNotFoundError):
                    stack.append(_Level(level.fd, level.below.pop()))
                if len(stack) > _MAX_OPEN_LEVELS:
                    stack[-_MAX_OPEN_LEVELS].close()
                continue
            stack.pop()
            if stack:
                stack[-1].reopen_from(level)
            level.close()
            with suppress(FileNotFoundError):
                os.rmdir(level.name, dir_fd=stack[-1].fd if stack else parent_fd)
    except OSError as err:
        err.add_note(f"unlinkat({name})")
        raise
    finally:
        for level in stack:
            level.close()
