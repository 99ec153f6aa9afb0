r"""Tables of mounts: ``/proc/PID/mountinfo``, what a process sees, and ``/etc/fstab``.

```
36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
(1)(2)(3)   (4)   (5)      (6)      (7)   (8) (9)   (10)         (11)
```

Blanks and backslashes in names are written ``\040`` and the like. Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_OCTAL = re.compile(rb"\\([0-7]{3})")
_FIXED_FIELDS = 6
_END_OF_OPTIONAL = b"-"
_FSTAB_FIELDS = 4  # device, mount point, type, options


class Mount(NamedTuple):
    """One mount.

    Attributes:
        mount_id: number of the mount, which the kernel also tells of an open file.
        root: the directory of the file system that is mounted.
        path: where, as seen by the process.
        options: of this mount, such as ``rw``.
        fs_type: such as ``ext4``.
        source: device, or whatever the file system calls it.
    """

    mount_id: int
    root: str
    path: str
    options: tuple[str, ...]
    fs_type: str
    source: str


def parse_mountinfo(data: bytes) -> Iterator[Mount]:
    """Yield the mounts in the kernel's order; lines of another form are left out."""
    for line in data.split(b"\n"):
        mount = _parse_line(line.split(b" "))
        if mount is not None:
            yield mount


def _parse_line(fields: list[bytes]) -> Mount | None:
    try:
        end = fields.index(_END_OF_OPTIONAL, _FIXED_FIELDS)
        mount_id, _, _, root, path, options = fields[:_FIXED_FIELDS]
        fs_type, source = fields[end + 1 : end + 3]
        number = int(mount_id)
    except ValueError:
        return None
    return Mount(
        number,
        _unescape(root),
        _unescape(path),
        tuple(_unescape(options).split(",")),
        _unescape(fs_type),
        _unescape(source),
    )


def _unescape(field: bytes) -> str:
    raw = _OCTAL.sub(lambda found: bytes((int(found[1], 8) & 0xFF,)), field)
    return raw.decode("utf-8", "surrogateescape")


def parse_fstab(data: bytes) -> dict[str, tuple[str, ...]]:
    """Return the options of each mount point that ``/etc/fstab`` describes."""
    found: dict[str, tuple[str, ...]] = {}
    for line in data.split(b"\n"):
        fields = line.split()
        if len(fields) >= _FSTAB_FIELDS and not fields[0].startswith(b"#"):
            found[_unescape(fields[1])] = tuple(_unescape(fields[3]).split(","))
    return found
