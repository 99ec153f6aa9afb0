"""Device nodes."""

from __future__ import annotations

import os
import stat

from pyostree.fs.dir import Dir, system_call


def make_whiteout_device(directory: Dir, name: str) -> None:
    """Create the character device 0:0, which hides a file of a lower overlay file system."""
    with system_call("Creating whiteout char device"):
        os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=directory.fileno())
