"""``ostree admin cleanup``: remove what no deployment uses any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import SYSROOT_ROOT

if TYPE_CHECKING:
    from pyostree.sysroot import Sysroot

PARAMETERS = ""
NEEDS = SYSROOT_ROOT
OPTIONS = ()


class Args(NamedTuple):
    """There are no options."""


def run(args: Args, sysroot: Sysroot, out: TextIO) -> None:
    """Run the command."""
    from pyostree.sysroot.cleanup import cleanup

    cleanup(sysroot)
