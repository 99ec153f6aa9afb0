"""Whole contents through open descriptors, with errors that name the failing call."""

from __future__ import annotations

import errno
import os
import stat as stat_bits
from collections.abc import Iterator
from contextlib import contextmanager

OPEN_DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ_CHUNK = 1 << 20


@contextmanager
def system_call(call: str) -> Iterator[None]:
    """Note `call` on an `OSError` passing through."""
    try:
        yield
    except OSError as err:
        err.add_note(call)
        raise


def check_regular(fd: int) -> None:
    """Raise `OSError` (ENXIO, or EISDIR) unless `fd` is a regular file."""
    check_regular_mode(os.fstat(fd).st_mode)


def check_regular_mode(mode: int) -> None:
    """Do the same for the mode of a file."""
    if not stat_bits.S_ISREG(mode):  # reading a device may never end
        code = errno.EISDIR if stat_bits.S_ISDIR(mode) else errno.ENXIO
        raise OSError(code, os.strerror(code))


def read_all(fd: int, *, max_bytes: int | None = None) -> bytes:
    """Return all bytes from the current position of `fd`.

    Raises:
        OSError: EFBIG when there are more than `max_bytes`.
    """
    size = os.fstat(fd).st_size
    if max_bytes is not None and size > max_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    chunks = []
    total = 0
    want = min(size + 1, _READ_CHUNK * 64)
    while chunk := os.read(fd, max(want - total, _READ_CHUNK) if size else _READ_CHUNK):
        chunks.append(chunk)
        total += len(chunk)
        if max_bytes is not None and total > max_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        if total == size and len(chunks) == 1 and not os.read(fd, 1):
            return chunk
    return b"".join(chunks)


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of `data` to `fd`; a short write (a full disk) goes on until it fails."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
