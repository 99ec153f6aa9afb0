"""Making all of a new boot configuration durable before it is switched to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyostree.errors import doing
from pyostree.fs.freeze import freeze_thaw
from pyostree.fs.journal import note_journal
from pyostree.fs.kernel import syncfs
from pyostree.sysroot.sysroot import Sysroot


def full_sync(sysroot: Sysroot) -> None:
    """Sync the file systems of the repository and of ``/boot``, whose journal is emptied too."""
    with doing("Full sync"):
        if sysroot.repo.fsync:
            with _noted("syncfs for system repo", "syncfs() for system repo"):
                syncfs(sysroot.repo.dir)
        freeze_boot(sysroot)


def freeze_boot(sysroot: Sysroot) -> None:
    """Freeze and thaw ``/boot``: boot loaders read it without its journal."""
    name = "freeze/thaw cycle for boot"
    with doing("During fsfreeze-thaw"), _noted(name, name):
        freeze_thaw(sysroot.open_boot(), test_watchdog=sysroot.settings.fail_freeze)


@contextmanager
def _noted(starting: str, completed: str) -> Iterator[None]:
    """Tell the journal that something starts that may take long, and how long it took."""
    note_journal(f"Starting {starting}")
    started_s = time.monotonic()
    yield
    note_journal(f"Completed {completed} in {int((time.monotonic() - started_s) * 1000)} ms")
