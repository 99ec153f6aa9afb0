"""The mounted file systems, as the kernel and ``/etc/fstab`` list them."""

from __future__ import annotations

import os
import pwd
import re
from typing import NamedTuple

from pyostree.fs.dir import Dir

_MAX_MOUNTINFO_BYTES = 64 << 20
_MAX_FSTAB_BYTES = 1 << 20
_MOUNT_ID = re.compile(rb"^mnt_id:\s*([0-9]+)", re.MULTILINE)


class Account(NamedTuple):
    """The user that a process runs as; `home` is empty where nobody knows."""

    uid: int
    name: str
    home: str


def own_account() -> Account:
    """Return whose process this is."""
    uid = os.getuid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, str(uid), "")
    return Account(uid, entry.pw_name, entry.pw_dir)


def read_mountinfo() -> bytes:
    """Return the kernel's table of what this process sees mounted."""
    with Dir.at("/proc/self") as proc:
        return proc.read_file("mountinfo", max_bytes=_MAX_MOUNTINFO_BYTES)


def read_fstab() -> bytes:
    """Return ``/etc/fstab``, empty where there is none that can be read."""
    try:
        with Dir.at("/etc") as etc:
            return etc.read_file("fstab", max_bytes=_MAX_FSTAB_BYTES)
    except OSError:
        return b""


def mount_id(directory: Dir) -> int | None:
    """Return the number of the mount through which a directory was opened."""
    with Dir.at("/proc/self/fdinfo") as fdinfo:
        found = _MOUNT_ID.search(fdinfo.read_file(str(directory.fileno())))
    return None if found is None else int(found[1])


def real_path(directory: Dir) -> str:
    """Return where a directory lies, without links in the path."""
    return os.readlink(directory.proc_path())
