"""``ostree admin pin INDEX...``: keep deployments until they are unpinned."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import SYSROOT_ROOT
from pyostree.cli.options import flag, positionals

if TYPE_CHECKING:
    from pyostree.sysroot import Sysroot

PARAMETERS = "INDEX"
NEEDS = SYSROOT_ROOT
OPTIONS = (
    flag("unpin", "u", help="Let them go with the next deployment"),
    positionals("indexes", missing="INDEX must be specified"),
)


class Args(NamedTuple):
    """The values of the options above."""

    unpin: bool
    indexes: tuple[str, ...]


def run(args: Args, sysroot: Sysroot, out: TextIO) -> None:
    """Run the command."""
    from pyostree.sysroot.pin import find_deployment, set_pinned

    state = "unpinned" if args.unpin else "pinned"
    for text in args.indexes:
        index, deployment = find_deployment(sysroot, text)
        if set_pinned(sysroot, deployment, pinned=not args.unpin):
            print(f"Deployment {index} is now {state}", file=out)
        elif args.unpin:
            print(f"Deployment {index} already unpinned", file=out)
        else:
            print(f"Deployment {index} is already pinned", file=out)
