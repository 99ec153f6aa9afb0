"""Restarting the machine after a change of its deployments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pyostree.errors import doing

if TYPE_CHECKING:
    from pyostree.sysroot import Sysroot


def reboot(sysroot: Sysroot) -> None:
    """Become ``systemctl reboot``, if this system runs one of the deployments.

    Raises:
        OSError: it cannot be executed.
    """
    if sysroot.booted is not None:
        sysroot.close()  # the lock's file would stay
        with doing("execve(systemctl reboot)"):
            os.execvp("systemctl", ["systemctl", "reboot"])
