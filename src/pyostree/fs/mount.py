"""Mounts: a private mount namespace, making mounts writable in it, kinds of file systems."""

from __future__ import annotations

import ctypes
import os

from pyostree.errors import OstreeError
from pyostree.fs.dir import Dir, system_call

_CLONE_NEWNS = 0x00020000
_MS_REMOUNT = 32
_MS_RELATIME = 1 << 21
_CAP_SYS_ADMIN = 21
_MSDOS_SUPER_MAGIC = 0x4D44
_STATFS_BYTES = 256  # more than the structure has on any machine


def is_privileged() -> bool:
    """Tell whether this process may mount: it is root, and not one without that right."""
    if os.geteuid() != 0:
        return False
    with Dir.at("/proc/self") as proc:
        status = proc.read_file("status").decode("ascii", "replace")
    bounding = next(line for line in status.split("\n") if line.startswith("CapBnd:"))
    return bool(int(bounding.split()[1], 16) >> _CAP_SYS_ADMIN & 1)


def unshare_mounts() -> None:
    """Go into a mount namespace of our own, unless this process has one that init does not share.

    Raises:
        OstreeError: the kernel refused.
    """
    if _has_own_namespace():
        return
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise OstreeError(f"Failed to invoke unshare(CLONE_NEWNS): {reason}")


def _has_own_namespace() -> bool:
    try:
        return os.readlink("/proc/1/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    except PermissionError:  # init is not ours to look at; one namespace more does no harm
        return False


def make_mount_writable(path: str) -> None:
    """Remount the file system at `path` read-write if it is read-only; a missing path is fine."""
    try:
        flags = os.statvfs(path).f_flag
    except FileNotFoundError:
        return
    if not flags & os.ST_RDONLY:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    name = os.fsencode(path)
    if libc.mount(name, name, None, _MS_REMOUNT | _MS_RELATIME, b"") != 0:
        code = ctypes.get_errno()
        err = OSError(code, os.strerror(code))
        err.add_note(f"Remounting {path} read-write")
        raise err


def is_fat(directory: Dir) -> bool:
    """Tell whether `directory` lies on a FAT file system, which has no symbolic links."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    with system_call("fstatfs"):
        if ctypes.CDLL(None, use_errno=True).fstatfs(directory.fileno(), buffer) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return ctypes.c_long.from_buffer(buffer).value == _MSDOS_SUPER_MAGIC
