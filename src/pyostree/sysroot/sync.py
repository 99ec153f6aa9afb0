"""Making all of a new boot configuration durable before it is switched to."""

from __future__ import annotations

from pyostree.errors import doing
from pyostree.fs.freeze import freeze_thaw
from pyostree.fs.kernel import syncfs
from pyostree.sysroot.sysroot import Sysroot


def full_sync(sysroot: Sysroot) -> None:
    """Sync the file systems of the repository and of ``/boot``, whose journal is emptied too."""
    with doing("Full sync"):
        if sysroot.repo.fsync:
            syncfs(sysroot.repo.dir)
        freeze_boot(sysroot)


def freeze_boot(sysroot: Sysroot) -> None:
    """Freeze and thaw ``/boot``: boot loaders read it without its journal."""
    with doing("During fsfreeze-thaw"):
        freeze_thaw(sysroot.open_boot(), test_watchdog=sysroot.settings.fail_freeze)
