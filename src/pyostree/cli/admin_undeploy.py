"""``ostree admin undeploy INDEX``: remove a deployment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.admin_settings import set_up
from pyostree.cli.needs import SYSROOT_ROOT
from pyostree.cli.options import positional
from pyostree.errors import OstreeError

if TYPE_CHECKING:
    from pyostree.sysroot import Sysroot

PARAMETERS = "INDEX"
NEEDS = SYSROOT_ROOT
OPTIONS = (positional("position", missing="INDEX must be specified"),)


class Args(NamedTuple):
    """The values of the options above."""

    position: str


def run(args: Args, sysroot: Sysroot, out: TextIO) -> None:
    """Run the command."""
    from pyostree.sysroot.undeploy import undeploy

    set_up(sysroot, out)
    name = undeploy(sysroot, parse_index(args.position))
    print(f"Deleted deployment {name}", file=out)


def parse_index(text: str) -> int:
    """Return an index as the C library reads it: blanks first, and no digits are 0.

    Raises:
        OstreeError: something else follows.
    """
    found = re.fullmatch(r"\s*([+-]?[0-9]+)|", text)
    if found is None:
        raise OstreeError(f"Invalid index: {text}")
    return int(found[1] or 0)
