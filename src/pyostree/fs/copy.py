"""Copies of files, symbolic links and trees with owner, mode, times and attributes."""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Callable
from contextlib import suppress

from pyostree.fs.dir import Dir, random_name, system_call
from pyostree.fs.kernel import copy_content
from pyostree.fs.xattr import (
    read_fd_xattrs,
    read_path_xattrs,
    set_fd_xattrs,
    set_path_xattrs,
)

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_PERMISSIONS = 0o7777


def copy_file(source: Dir, name: str, target: Dir, to_name: str, *, xattrs: bool = True) -> None:
    """Copy a regular file with owner, mode and times to a name that does not exist yet."""
    source_fd = source.open_read(name, follow=False)
    try:
        fd = _create(target, to_name)
        try:
            copy_content(source_fd, fd)
            _copy_metadata(source_fd, fd, xattrs=xattrs)
            status = os.fstat(source_fd)
            os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(fd)
    finally:
        os.close(source_fd)


def _create(target: Dir, name: str) -> int:
    with system_call(f"openat({name})"):
        return os.open(name, _NEW_FILE, 0o600, dir_fd=target.fileno())


def _copy_metadata(source_fd: int, target_fd: int, *, xattrs: bool) -> None:
    status = os.fstat(source_fd)
    with system_call("fchown"):
        os.fchown(target_fd, status.st_uid, status.st_gid)
    if xattrs:
        set_fd_xattrs(target_fd, read_fd_xattrs(source_fd))
    with system_call("fchmod"):  # after chown, which clears setuid
        os.fchmod(target_fd, stat_bits.S_IMODE(status.st_mode) & _PERMISSIONS)


def replace_with_copy(source_fd: int, target: Dir, to_name: str) -> None:
    """Copy an open file, durably and without attributes or times, over a name that may exist."""
    tmp = random_name("tmp.")
    try:
        fd = _create(target, tmp)
        try:
            copy_content(source_fd, fd)
            _copy_metadata(source_fd, fd, xattrs=False)
            with system_call("fsync"):
                os.fsync(fd)
        finally:
            os.close(fd)
        target.rename(tmp, to_name)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(tmp, dir_fd=target.fileno())
        raise


def copy_symlink(source: Dir, name: str, target: Dir, to_name: str, *, xattrs: bool = True) -> None:
    """Copy a symbolic link with its owner to a name that does not exist yet."""
    status = source.stat(name)
    target.symlink(source.read_link(name), to_name)
    if xattrs:
        set_path_xattrs(target, to_name, read_path_xattrs(source, name))
    target.chown(to_name, status.st_uid, status.st_gid)


def copy_dir_metadata(source: Dir, target: Dir, *, xattrs: bool = True) -> None:
    """Give the directory `target` the owner, mode and attributes of `source`."""
    _copy_metadata(source.fileno(), target.fileno(), xattrs=xattrs)


def copy_entry(
    source: Dir,
    name: str,
    target: Dir,
    to_name: str,
    *,
    xattrs: bool = True,
    on_skip: Callable[[str], None] | None = None,
) -> None:
    """Copy a file, link or tree to a name that does not exist yet.

    Args:
        on_skip: told the path, below `name`, of each device, pipe or socket, which are left out.
    """
    stack = [(source, name, target, to_name, name)]
    while stack:
        from_dir, from_name, into, new_name, path = stack.pop()
        mode = from_dir.stat(from_name).st_mode
        if stat_bits.S_ISLNK(mode):
            copy_symlink(from_dir, from_name, into, new_name, xattrs=xattrs)
        elif stat_bits.S_ISREG(mode):
            copy_file(from_dir, from_name, into, new_name, xattrs=xattrs)
        elif stat_bits.S_ISDIR(mode):
            into.make_dir(new_name, 0o700)
            below, copy = from_dir.open_dir(from_name, follow=False), into.open_dir(new_name)
            copy_dir_metadata(below, copy, xattrs=xattrs)
            # Handles live on the stack, so at most one per level and sibling directory is open.
            stack += [(below, entry, copy, entry, f"{path}/{entry}") for entry in below.list()]
        elif on_skip is not None:
            on_skip(path)
