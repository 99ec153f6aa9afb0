"""What a boot loader's back end is, and how it writes lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pyostree.errors import FormatError
from pyostree.formats.bls import BootEntry
from pyostree.fs.dir import Dir
from pyostree.sysroot.deployment import Deployment
from pyostree.sysroot.sysroot import SysrootSettings


class BootContext(NamedTuple):
    """What a back end works on.

    Attributes:
        path: absolute path of the sysroot.
        boot: its ``boot/``.
        bootversion: the new one; its boot entries are written, and nothing points to it yet.
        deployments: those that the new entries lead to.
        has_prefix: boot entries name files by their path from the sysroot, not from ``boot/``.
        is_booted: whether this system runs one of the deployments.
    """

    sysroot: Dir
    path: str
    boot: Dir
    bootversion: int
    deployments: Sequence[Deployment]
    has_prefix: bool
    is_booted: bool
    settings: SysrootSettings

    @property
    def loader(self) -> str:
        """The directory of the new configuration, relative to `boot`."""
        return f"loader.{self.bootversion}"


class Bootloader(Protocol):
    """Turns boot entries into one boot loader's own configuration."""

    @property
    def name(self) -> str:
        """Its name in logs."""

    @property
    def is_atomic(self) -> bool:
        """Whether what it writes becomes active with the switch of ``boot/loader``."""

    def find(self, boot: Dir) -> Bootloader | None:
        """Return the back end set up for what is installed; None if this loader is not."""

    def write_config(self, context: BootContext, entries: Sequence[BootEntry]) -> None:
        """Write the loader's configuration for the new boot entries, the default first."""

    def after_switch(self, context: BootContext) -> None:
        """Do what can only be done with the new entries active."""


def join_lines(lines: Sequence[str]) -> bytes:
    """Return the bytes of a configuration file.

    Empty lines are dropped at its start and after the first one, as the reference does.
    """
    kept: list[str] = []
    has_empty = False
    for line in lines:
        if not line:
            if not kept or has_empty:
                continue
            has_empty = True
        kept.append(f"{line}\n")
    return "".join(kept).encode("utf-8", "surrogateescape")


def require_linux(entry: BootEntry) -> str:
    """Return the path of an entry's kernel.

    Raises:
        FormatError: it has none.
    """
    value = entry.get("linux")
    if value is None:
        raise FormatError('No "linux" key in bootloader config')
    return value
