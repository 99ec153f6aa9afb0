"""What is neither file nor directory: device nodes, pipes, sockets."""

from __future__ import annotations

import os
import stat

from pyostree.fs.dir import Dir, system_call


def make_whiteout_device(directory: Dir, name: str) -> None:
    """Create the character device 0:0, which hides a file of a lower overlay file system."""
    with system_call("Creating whiteout char device"):
        os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=directory.fileno())


def is_special(path: str) -> bool:
    """Tell whether there is a pipe, device or socket, which may keep waiting whoever opens it."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
