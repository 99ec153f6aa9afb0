"""`InputFile`: an open file to read from, with its status and xattrs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Self

from pyostree.closing import Closing
from pyostree.fs.dir import Dir, read_all
from pyostree.fs.xattr import Xattrs, read_fd_xattr, read_fd_xattrs

CHUNK_BYTES = 1 << 20
_SMALL_BYTES = 16 << 10
_OPEN_START = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def read_start(directory: Dir, name: str, size: int) -> bytes:
    """Return the first `size` bytes of a file, or fewer; three calls and nothing else.

    Raises:
        OSError: it cannot be opened or read; without the name of the call.
    """
    fd = os.open(name, _OPEN_START, dir_fd=directory.fileno())
    try:
        return os.read(fd, size)
    finally:
        os.close(fd)


def read_whole(directory: Dir, name: str, *, max_bytes: int | None = None) -> bytes:
    """Return the content of the regular file `name`; small ones, the most, in three calls.

    Raises:
        OSError: what `Dir.read_file` raises for what is no regular file.
    """
    try:
        data = read_start(directory, name, _SMALL_BYTES)
    except FileNotFoundError:
        raise
    except OSError:
        data = b""
    # Nothing, or all that was asked for: only a closer look tells what it is.
    if 0 < len(data) < _SMALL_BYTES:
        return data
    return directory.read_file(name, max_bytes=max_bytes, follow=False)


class InputFile(Closing):
    """Owns one descriptor; closed by ``with`` or `close`."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def open(cls, directory: Dir, name: str) -> Self:
        """Open the regular file `name`; ELOOP means that it is a symbolic link."""
        return cls(directory.open_read(name, follow=False))

    @classmethod
    def duplicate(cls, fd: int) -> Self:
        """Return a file of its own for a descriptor that stays open, such as standard input."""
        return cls(os.dup(fd))

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def status(self) -> os.stat_result:
        """Return the file's status."""
        return os.fstat(self.fd)

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes from the current position; none at the end."""
        return os.read(self.fd, size)

    def read_exactly(self, size: int) -> bytes:
        """Return `size` bytes from the current position, fewer only at the end of the file."""
        data = os.read(self.fd, size)
        if len(data) == size:
            return data
        parts = [data]
        left = size - len(data)
        while left and (more := os.read(self.fd, left)):
            parts.append(more)
            left -= len(more)
        return b"".join(parts)

    def read_into(self, buffer: memoryview) -> int:
        """Fill `buffer` from the current position; return how much, less only at the end."""
        total = os.readv(self.fd, [buffer])
        while 0 < total < len(buffer) and (more := os.readv(self.fd, [buffer[total:]])):
            total += more
        return total

    def read_rest(self, *, max_bytes: int | None = None) -> bytes:
        """Return all bytes from the current position (see `fs.dir.read_all`)."""
        return read_all(self.fd, max_bytes=max_bytes)

    def chunks(self) -> Iterator[bytes]:
        """Yield what is left, in chunks of at most 1 MiB."""
        while chunk := os.read(self.fd, CHUNK_BYTES):
            yield chunk

    def send_to(self, out_fd: int, position: int, size: int) -> int:
        """Let the kernel copy bytes to a socket; return how many went, 0 at the end."""
        return os.sendfile(out_fd, self.fd, position, size)

    def is_named(self, directory: Dir, name: str) -> bool:
        """Tell whether `name` is this very file."""
        mine, there = os.fstat(self.fd), directory.try_stat(name)
        return there is not None and (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)

    def set_mode(self, mode: int) -> None:
        """Set the permission bits."""
        os.fchmod(self.fd, mode)

    def set_mtime_ns(self, mtime_ns: int) -> None:
        """Set the modification time, keeping the access time."""
        os.utime(self.fd, ns=(os.fstat(self.fd).st_atime_ns, mtime_ns))

    def sync(self) -> None:
        """Make the content durable."""
        os.fsync(self.fd)

    def rewind(self, position: int = 0) -> None:
        """Go on reading at `position`."""
        os.lseek(self.fd, position, os.SEEK_SET)

    def xattrs(self) -> Xattrs:
        """Return all xattrs."""
        return read_fd_xattrs(self.fd)

    def xattr(self, name: str) -> bytes | None:
        """Return one xattr, or None."""
        return read_fd_xattr(self.fd, name)
