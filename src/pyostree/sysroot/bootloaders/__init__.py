"""Back ends for boot loaders: each turns boot entries into one loader's own configuration."""

from __future__ import annotations

from pyostree.errors import UnsupportedError
from pyostree.fs.dir import Dir
from pyostree.sysroot.bootloaders.base import BootContext, Bootloader
from pyostree.sysroot.bootloaders.grub2 import Grub2
from pyostree.sysroot.bootloaders.syslinux import Syslinux
from pyostree.sysroot.bootloaders.uboot import UBoot

__all__ = ["BootContext", "Bootloader", "select_bootloader"]

_BUILT_IN: tuple[tuple[str, Bootloader], ...] = (  # first found wins
    ("syslinux", Syslinux()),
    ("grub2", Grub2()),
    ("uboot", UBoot()),
)


def select_bootloader(boot: Dir, configured: str) -> Bootloader | None:
    """Return the back end to use; None when boot entries are all that is needed.

    Args:
        configured: ``none``, the name of a back end, which need not be installed, or ``auto``.

    Raises:
        UnsupportedError: there is no such back end.
    """
    if configured == "none":
        return None
    if configured == "auto":
        found = (bootloader.find(boot) for _, bootloader in _BUILT_IN)
        return next((bootloader for bootloader in found if bootloader is not None), None)
    for name, bootloader in _BUILT_IN:
        if name == configured:
            return bootloader
    raise UnsupportedError(f"bootloader {configured} is not supported")
