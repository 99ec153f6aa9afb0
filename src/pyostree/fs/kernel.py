"""System calls that `os` lacks: syncfs, renameat2, FICLONE, immutable bit, freeze and thaw."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from functools import cache
from typing import TYPE_CHECKING

from pyostree.fs.dir import Dir, write_all

if TYPE_CHECKING:
    import ctypes

_RENAME_NOREPLACE = 1
_SYNC_FILE_RANGE_WRITE = 2
_FICLONE = 0x40049409
_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_FS_IMMUTABLE_FL = 0x10
_FIFREEZE = 0xC0045877
_FITHAW = 0xC0045878
_NO_MOVE = (errno.EEXIST, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EXDEV)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_COPY_CHUNK = 1 << 20
# A file system without the operation answers with one of these; others are real failures.
_NO_CLONE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EBADF)


@cache
def _libc() -> ctypes.CDLL:
    import ctypes  # slow to import, and not needed for reading

    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: object) -> int:
    """Call a function of the C library, again when a signal interrupted it, as Python's own do."""
    function = getattr(_libc(), name)
    while True:
        result: int = function(*args)
        if result == 0 or _errno() != errno.EINTR:
            return result


def _errno() -> int:
    import ctypes

    return ctypes.get_errno()


def _fail(call: str) -> None:
    code = _errno()
    err = OSError(code, os.strerror(code))
    err.add_note(call)
    raise err


def syncfs(directory: Dir) -> None:
    """Write all dirty data of the file system that holds `directory` to the disk."""
    if _call("syncfs", directory.fileno()) != 0:
        _fail("syncfs")


def start_writeback(fd: int) -> None:
    """Let the disk begin with what was written to a file, so that a later sync waits less.

    Only a hint: a file system that cannot do it is left alone.
    """
    import ctypes

    zero = ctypes.c_int64(0)
    _libc().sync_file_range(fd, zero, zero, _SYNC_FILE_RANGE_WRITE)


def rename_noreplace(source: Dir, name: str, target: Dir, to_name: str) -> bool:
    """Rename unless `to_name` exists; return whether it was renamed."""
    result = _call(
        "renameat2",
        source.fileno(),
        os.fsencode(name),
        target.fileno(),
        os.fsencode(to_name),
        _RENAME_NOREPLACE,
    )
    if result == 0:
        return True
    code = _errno()
    if code == errno.EEXIST:
        return False
    if code in (errno.EINVAL, errno.ENOSYS):  # a file system without the flag
        return _rename_by_link(source, name, target, to_name)
    err = OSError(code, os.strerror(code))
    err.add_note(f"renameat({name}, {to_name})")
    raise err


def _rename_by_link(source: Dir, name: str, target: Dir, to_name: str) -> bool:
    """Do it in two steps, where a file system does not know the flag."""
    try:
        source.link(name, target, to_name)
    except FileExistsError:
        return False
    except OSError as err:
        if err.errno not in _NO_LINKS:
            raise
        if target.exists(to_name):
            return False
        source.rename(name, to_name, to_dir=target)
        return True
    source.remove(name)
    return True


def move_dir(source: Dir, name: str, target: Dir) -> bool:
    """Rename a directory into `target`; return False if that has the name, or cannot take it so."""
    code_name = os.fsencode(name)
    result = _call(
        "renameat2", source.fileno(), code_name, target.fileno(), code_name, _RENAME_NOREPLACE
    )
    if result == 0:
        return True
    code = _errno()
    if code in _NO_MOVE:
        return False
    err = OSError(code, os.strerror(code))
    err.add_note(f"renameat({name})")
    raise err


def clone_file(source_fd: int, target_fd: int) -> bool:
    """Let `target_fd` share the blocks of `source_fd`; return False where that is unsupported."""
    try:
        fcntl.ioctl(target_fd, _FICLONE, source_fd)
    except OSError as err:
        if err.errno in _NO_CLONE:
            return False
        raise
    return True


def copy_content(source_fd: int, target_fd: int) -> None:
    """Copy what is left in `source_fd` to `target_fd`, sharing blocks if possible."""
    if clone_file(source_fd, target_fd):
        return
    try:
        while os.copy_file_range(source_fd, target_fd, 1 << 30):
            pass
    except OSError as err:
        if err.errno not in (*_NO_CLONE, errno.EPERM):
            raise
    while chunk := os.read(source_fd, _COPY_CHUNK):
        write_all(target_fd, chunk)


def set_immutable(directory: Dir, immutable: bool) -> bool:
    """Set or clear the immutable bit; return False where unsupported or not permitted."""
    fd = directory.fileno()
    try:
        raw = fcntl.ioctl(fd, _FS_IOC_GETFLAGS, struct.pack("l", 0))
        flags: int = struct.unpack("l", raw)[0]
        wanted = flags | _FS_IMMUTABLE_FL if immutable else flags & ~_FS_IMMUTABLE_FL
        if wanted != flags:
            fcntl.ioctl(fd, _FS_IOC_SETFLAGS, struct.pack("l", wanted))
    except OSError as err:
        if err.errno in (errno.ENOTTY, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM):
            return False
        raise
    return True


def freeze(directory: Dir) -> None:
    """Freeze the file system of `directory` so that its journal is flushed (needs privilege)."""
    fcntl.ioctl(directory.fileno(), _FIFREEZE, 0)


def thaw(directory: Dir) -> None:
    """Undo `freeze`."""
    fcntl.ioctl(directory.fileno(), _FITHAW, 0)
