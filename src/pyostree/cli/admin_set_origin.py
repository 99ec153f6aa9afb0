"""``ostree admin set-origin REMOTENAME URL [BRANCH]``: what a deployment is upgraded from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import SYSROOT_ROOT
from pyostree.cli.options import UsageError, integer, positional, texts

if TYPE_CHECKING:
    from pyostree.sysroot import Sysroot

PARAMETERS = "REMOTENAME URL [BRANCH]"
NEEDS = SYSROOT_ROOT
OPTIONS = (
    texts("set", "s", metavar="KEY=VALUE", dest="settings", help="Also set this key of the remote"),
    integer(
        "index",
        metavar="INDEX",
        dest="position",
        help="Change the deployment at this place of the list, not the booted one",
    ),
    positional("remote"),
    positional("url"),
    positional("branch"),
)


class Args(NamedTuple):
    """The values of the options above."""

    settings: tuple[str, ...]
    position: int | None
    remote: str | None
    url: str | None
    branch: str | None


def run(args: Args, sysroot: Sysroot, out: TextIO) -> None:
    """Run the command."""
    from pyostree.sysroot.origin import NewOrigin, require_booted, set_origin

    if args.remote is None or args.url is None:
        raise UsageError("REMOTENAME and URL must be specified")
    if args.position is None:
        deployment = require_booted(sysroot)
    else:
        deployment = sysroot.deployment_at(args.position)
    set_origin(sysroot, deployment, NewOrigin(args.remote, args.url, args.branch, args.settings))
