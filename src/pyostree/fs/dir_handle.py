"""`DirHandle`: an open directory, and all that only looks at what it holds."""

from __future__ import annotations

import errno
import os
import stat as stat_bits
from collections.abc import Iterator
from typing import Self

from pyostree.closing import Closing
from pyostree.fs.descriptor import (
    OPEN_DIR,
    check_regular,
    check_regular_mode,
    read_all,
    system_call,
)

_OPEN_FILE = os.O_RDONLY | os.O_CLOEXEC
# Not -1, which Python's listdir and scandir take for the working directory.
_CLOSED = -2


class DirHandle(Closing):
    """One open directory, to look into; closed by ``with`` or `close`. `label` is for messages."""

    __slots__ = ("_fd", "label")

    def __init__(self, fd: int, label: str) -> None:
        self._fd = fd
        self.label = label

    @classmethod
    def at(cls, path: str | os.PathLike[str], *, follow: bool = True) -> Self:
        """Open the directory at `path`, relative to the working directory.

        Args:
            follow: whether the last component may be a symbolic link.
        """
        text = os.fspath(path)
        flags = OPEN_DIR if follow else OPEN_DIR | os.O_NOFOLLOW
        try:
            return cls(os.open(text, flags), text)
        except OSError as err:
            err.add_note(f"opendir({text})")
            raise

    @classmethod
    def above(cls, path: str | os.PathLike[str]) -> tuple[Self, str]:
        """Open the directory that holds `path`; return it with the last component's name.

        The root directory holds itself, as ``.``.
        """
        text = os.fspath(path)
        parent, name = os.path.split(text.rstrip("/"))
        if text and not name:
            return cls.at("/"), "."
        return cls.at(parent or "."), name

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Dir({self.label!r})"

    def close(self) -> None:
        """Close the handle; a second call does nothing."""
        fd, self._fd = self._fd, _CLOSED
        if fd >= 0:
            os.close(fd)

    def fileno(self) -> int:
        """Return the descriptor, for modules of `fs` and for inheriting by child processes."""
        return self._fd

    # -- directories below ---------------------------------------------------------------

    def open_dir(self, name: str, *, follow: bool = True) -> Self:
        """Open the directory `name`; with ``follow=False`` a symbolic link is refused."""
        flags = OPEN_DIR if follow else OPEN_DIR | os.O_NOFOLLOW
        try:
            return type(self)(os.open(name, flags, dir_fd=self._fd), f"{self.label}/{name}")
        except OSError as err:
            err.add_note(f"opendir({name})")
            raise

    def duplicate(self) -> Self:
        """Return an independent handle of the same directory."""
        return type(self)(os.dup(self._fd), self.label)

    def walk(self, path: str) -> Self:
        """Open the directory at `path`, component by component, following no symbolic link.

        Raises:
            OSError: ENOENT, ENOTDIR (also for a link), or EINVAL for ``..``.
        """
        current = self.duplicate()
        for part in path.split("/"):
            if part in ("", "."):
                continue
            if part == "..":
                current.close()
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
            with current:
                current = current.open_dir(part, follow=False)
        return current

    def list(self) -> list[str]:
        """Return the names in this directory, sorted."""
        # Through a handle of its own: btrfs lists no name that is younger than the open file.
        fd = os.open(".", OPEN_DIR, dir_fd=self._fd)
        try:
            return sorted(os.listdir(fd))
        finally:
            os.close(fd)

    def scan(self) -> Iterator[os.DirEntry[str]]:
        """Yield the entries of this directory in directory order."""
        # scandir moves the offset of the open file description, which duplicates share: a handle
        # of its own lets two scans of one directory run at once.
        fd = os.open(".", OPEN_DIR, dir_fd=self._fd)
        try:
            with os.scandir(fd) as entries:
                yield from entries
        finally:
            os.close(fd)

    # -- looking -------------------------------------------------------------------------

    def stat(self, name: str, *, follow: bool = False) -> os.stat_result:
        """Return the status of `name` (of the link itself unless `follow`)."""
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=follow)
        except OSError as err:
            err.add_note(f"fstatat({name})")
            raise

    def stat_self(self) -> os.stat_result:
        """Return the status of this directory."""
        return os.fstat(self._fd)

    def try_stat(self, name: str, *, follow: bool = False) -> os.stat_result | None:
        """Return the status of `name`, or None when there is no such name."""
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=follow)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as err:
            err.add_note(f"fstatat({name})")
            raise

    def exists(self, name: str) -> bool:
        """Tell whether `name` exists, be it a dangling link."""
        return self.try_stat(name) is not None

    def is_dir(self, name: str, *, follow: bool = True) -> bool:
        """Tell whether `name` is a directory."""
        status = self.try_stat(name, follow=follow)
        return status is not None and stat_bits.S_ISDIR(status.st_mode)

    def is_file(self, name: str, *, follow: bool = True) -> bool:
        """Tell whether `name` is a regular file."""
        status = self.try_stat(name, follow=follow)
        return status is not None and stat_bits.S_ISREG(status.st_mode)

    def is_writable(self, name: str = ".") -> bool:
        """Tell whether the real user may write to `name`."""
        return os.access(name, os.W_OK, dir_fd=self._fd)

    def statvfs(self) -> os.statvfs_result:
        """Return the figures of the file system that holds this directory."""
        return os.fstatvfs(self._fd)

    def read_link(self, name: str) -> str:
        """Return the target of the symbolic link `name`."""
        try:
            return os.readlink(name, dir_fd=self._fd)
        except OSError as err:
            err.add_note(f"readlinkat({name})")
            raise

    # -- reading -------------------------------------------------------------------------

    def open_read(self, name: str, *, follow: bool = True) -> int:
        """Open `name` for reading and return the descriptor, which the caller closes.

        With ``follow=False`` a symbolic link is refused, and a pipe in place of a file is no trap
        that never opens.
        """
        flags = _OPEN_FILE if follow else _OPEN_FILE | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            return os.open(name, flags, dir_fd=self._fd)
        except OSError as err:
            err.add_note(f"openat({name})")
            raise

    def read_regular(self, name: str, *, max_bytes: int | None = None) -> bytes:
        """Return the content of a regular file, or of the one that a symbolic link leads to.

        Raises:
            OSError: EISDIR or ENXIO for what is no file; else as `read_file`.
        """
        with system_call(f"openat({name})"):
            # Opening a device may do something already.
            check_regular_mode(os.stat(name, dir_fd=self._fd).st_mode)
            fd = os.open(name, _OPEN_FILE | os.O_NONBLOCK, dir_fd=self._fd)
        try:
            with system_call(f"read({name})"):
                check_regular(fd)
                return read_all(fd, max_bytes=max_bytes)
        finally:
            os.close(fd)

    def read_file(self, name: str, *, max_bytes: int | None = None, follow: bool = True) -> bytes:
        """Return the content of `name`, with ``follow=False`` only of a regular file.

        Raises:
            OSError: EFBIG when the file has more than `max_bytes`; ENXIO for what is no file; else
                what opening raises.
        """
        fd = self.open_read(name, follow=follow)
        try:
            if not follow:
                check_regular(fd)
            return read_all(fd, max_bytes=max_bytes)
        except OSError as err:
            err.add_note(f"read({name})")
            raise
        finally:
            os.close(fd)

    def proc_path(self, name: str = "") -> str:
        """Return a path of `name` for calls without a ``dir_fd`` form, such as those on xattrs."""
        return f"/proc/self/fd/{self._fd}/{name}" if name else f"/proc/self/fd/{self._fd}"
