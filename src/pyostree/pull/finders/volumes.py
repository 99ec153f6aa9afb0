"""Which mounted file systems are volumes of a user: sticks, cards, disks.

A desktop asks its volume monitor. A device without a desktop has none, so that the rule here is
that of GIO's monitor for a machine without udisks, plus ``/mnt``, where people mount by hand. Of
the mounts in ``/proc/self/mountinfo`` those count that

* lie below ``/media``, ``/mnt`` (or are ``/mnt`` itself), below ``/run/media`` or below the home
  directory of the user who asks, or that ``/etc/fstab`` calls ``user``, ``users`` or
  ``x-gvfs-show``,
* have no component of their path that begins with a dot,
* are no system file systems, which live in memory or are made of others, and
* are not hidden by another mount.

Below ``/run/media`` udisks mounts for one user each: root sees all of them, others only their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pyostree.formats.mountinfo import Mount, parse_fstab, parse_mountinfo
from pyostree.fs.dir import Dir
from pyostree.fs.mounts import Account, mount_id, own_account, read_fstab, read_mountinfo

# File systems that hold no data of their own, or that many machines share.
_SYSTEM_TYPES = frozenset((
    "adfs", "afs", "auto", "autofs", "autofs4", "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2",
    "configfs", "cpuset", "cxfs", "debugfs", "devfs", "devpts", "devtmpfs", "ecryptfs", "efivarfs",
    "fuse.gvfs-fuse-daemon", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fusectl", "gfs",
    "gfs2", "gpfs", "hugetlbfs", "kernfs", "lustre", "mqueue", "ncpfs", "nfsd", "nsfs", "ocfs2",
    "overlay", "pipefs", "proc", "pstore", "ramfs", "rootfs", "rpc_pipefs", "securityfs",
    "selinuxfs", "sockfs", "sysfs", "tmpfs", "tracefs", "usbfs",
))  # fmt: skip
_SYSTEM_SOURCES = frozenset(("none", "sunrpc", "devpts", "nfsd", "/dev/loop", "/dev/vn"))
_SHARED_PLACES = ("/media/", "/mnt/")
_PLACE_OF_USERS = "/run/media/"
_PLACE_OF_HAND = "/mnt"
_USER_OPTIONS = frozenset(("user", "users", "x-gvfs-show"))


def list_volumes() -> list[Mount]:
    """Return the volumes of whoever runs this process; some may be hidden by others."""
    mounts = parse_mountinfo(read_mountinfo())
    return list(select_volumes(mounts, parse_fstab(read_fstab()), own_account()))


def open_volume(mount: Mount) -> Dir | None:
    """Open the root of a volume; return None where another mount hides it.

    Raises:
        OSError: it may not be opened.
    """
    root = Dir.at(mount.path)
    if mount_id(root) == mount.mount_id:
        return root
    root.close()
    return None


def select_volumes(
    mounts: Iterable[Mount], fstab: Mapping[str, tuple[str, ...]], asker: Account
) -> Iterator[Mount]:
    """Yield those of the mounts that are volumes.

    Args:
        fstab: options of mount points that the administrator has described.
    """
    for mount in mounts:
        if mount.fs_type in _SYSTEM_TYPES or mount.source in _SYSTEM_SOURCES:
            continue
        if "/." in mount.path:
            continue
        is_shown = not _USER_OPTIONS.isdisjoint(fstab.get(mount.path, ()))
        if is_shown or _is_place_of_volumes(mount.path, asker):
            yield mount


def _is_place_of_volumes(path: str, asker: Account) -> bool:
    if path == _PLACE_OF_HAND or path.startswith(_SHARED_PLACES):
        return True
    users = _PLACE_OF_USERS if asker.uid == 0 else f"{_PLACE_OF_USERS}{asker.name}/"
    if path.startswith(users):
        return True
    home = asker.home.rstrip("/")
    return bool(home) and path.startswith(f"{home}/")
