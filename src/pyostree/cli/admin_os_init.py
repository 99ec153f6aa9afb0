"""``ostree admin stateroot-init NAME``: create a stateroot."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import SYSROOT_ROOT
from pyostree.cli.options import positional

if TYPE_CHECKING:
    from pyostree.sysroot import Sysroot

PARAMETERS = "STATEROOT"
NEEDS = SYSROOT_ROOT
OPTIONS = (positional("stateroot", missing="STATEROOT must be specified"),)


class Args(NamedTuple):
    """The values of the options above."""

    stateroot: str


def run(args: Args, sysroot: Sysroot, out: TextIO) -> None:
    """Run the command."""
    from pyostree.sysroot.init_fs import init_stateroot

    init_stateroot(sysroot, args.stateroot)
    print(f"ostree/deploy/{args.stateroot} initialized as OSTree stateroot", file=out)
