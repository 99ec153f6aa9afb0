"""GRUB 2: its own program writes ``grub.cfg`` from the boot entries.

On a BIOS machine the new file takes effect with the switch of ``boot/loader``; the EFI one lies on
another file system and is replaced right away.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from pyostree.errors import OstreeError, UnsupportedError
from pyostree.formats.bls import BootEntry
from pyostree.fs.dir import Dir
from pyostree.sysroot.bootloaders.base import BootContext

_SYSTEM_PROGRAMS = ("grub2-mkconfig", "grub-mkconfig")
_CONFIGS = ("grub/grub.cfg", "grub2/grub.cfg")
_EFI = "efi/EFI"
_BOOTUPD = "bootupd-state.json"
_MAX_BYTES = 1 << 20


class Grub2:
    """Back end for GRUB 2.

    Args:
        efi_dir: the directory of ``grub.cfg`` on an EFI system partition, relative to ``boot/``.
    """

    name = "grub2"

    def __init__(self, efi_dir: str | None = None) -> None:
        self._efi_dir = efi_dir

    @property
    def is_atomic(self) -> bool:
        """Whether ``grub.cfg`` lies beside the boot entries."""
        return self._efi_dir is None

    def find(self, boot: Dir) -> Grub2 | None:
        """Return the back end for BIOS or EFI, unless the configuration is static."""
        if _has_static_config(boot):
            return None
        if any(boot.exists(path) for path in _CONFIGS):
            return Grub2()
        if not boot.is_dir(_EFI):
            return None
        with boot.open_dir(_EFI) as vendors:
            for entry in vendors.scan():
                is_vendor = entry.is_dir(follow_symlinks=False) and entry.name != "BOOT"
                if is_vendor and vendors.exists(f"{entry.name}/grub.cfg"):
                    return Grub2(f"{_EFI}/{entry.name}")
        return None

    def write_config(self, context: BootContext, entries: Sequence[BootEntry]) -> None:
        """Run the program, which reads the new boot entries on its own.

        Raises:
            OstreeError: it is missing or fails.
        """
        boot_path = os.path.join(context.path, "boot")
        if self._efi_dir is None:
            target = f"{context.loader}/grub.cfg"
        else:
            target = f"{self._efi_dir}/grub.cfg.new"
            context.boot.remove(target, missing_ok=True)
        self._run(context, os.path.join(boot_path, target))
        context.boot.sync_file(target)
        if self._efi_dir is not None:
            with context.boot.open_dir(self._efi_dir) as directory:
                _replace_on_efi(directory)

    def after_switch(self, context: BootContext) -> None:
        """Nothing is left to do."""

    def _run(self, context: BootContext, target: str) -> None:
        program = context.settings.grub2_exec or _SYSTEM_PROGRAMS[0]
        is_system = program.endswith(_SYSTEM_PROGRAMS)
        if is_system and not context.is_booted and context.path != "/":
            raise UnsupportedError(
                f"{program} cannot write the configuration of another root file system"
            )
        added = {"_OSTREE_GRUB2_BOOTVERSION": str(context.bootversion)}
        if self._efi_dir is not None:
            added["_OSTREE_GRUB2_IS_EFI"] = "1"
        output = None if context.settings.inherit_output else subprocess.DEVNULL
        try:
            done = subprocess.run(
                [program, "-o", target],
                env={**os.environ, **added},
                stdout=output,
                stderr=output,
                check=False,
            )
        except OSError as err:
            raise OstreeError(
                f"Failed to execute child process “{program}” ({os.strerror(err.errno or 0)})"
            ) from err
        if done.returncode:
            raise OstreeError(f"{program}: Child process exited with code {done.returncode}")


def _has_static_config(boot: Dir) -> bool:
    try:
        state = boot.read_file(_BOOTUPD, max_bytes=_MAX_BYTES)
    except FileNotFoundError:
        return False
    return b'"static-configs"' in state and b'"static-configs":null' not in state


def _replace_on_efi(directory: Dir) -> None:
    """Put ``grub.cfg.new`` in place of ``grub.cfg``, without links: a FAT file system has none."""
    directory.remove("grub.cfg.old", missing_ok=True)
    with suppress(FileNotFoundError):
        directory.replace_file("grub.cfg.old", directory.read_file("grub.cfg"))
    directory.rename("grub.cfg.new", "grub.cfg")
    directory.sync()
