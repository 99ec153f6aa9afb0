"""``ostree admin switch REFSPEC``: follow another branch or remote, and deploy it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.admin_reboot import reboot
from pyostree.cli.admin_settings import set_up
from pyostree.cli.needs import SYSROOT_ROOT
from pyostree.cli.options import flag, positional, text

if TYPE_CHECKING:
    from pyostree.sysroot import Sysroot

PARAMETERS = "REFSPEC"
NEEDS = SYSROOT_ROOT
OPTIONS = (
    flag("reboot", "r", help="Reboot after switching"),
    text("os", metavar="OSNAME", dest="osname", help="Stateroot to switch, not the booted one"),
    positional("refspec", missing="REFSPEC must be specified"),
)


class Args(NamedTuple):
    """The values of the options above."""

    reboot: bool
    osname: str | None
    refspec: str


def run(args: Args, sysroot: Sysroot, out: TextIO) -> None:
    """Run the command."""
    from pyostree.cli.pull_status import PullStatus
    from pyostree.sysroot.upgrade import Upgrader, switch_origin

    set_up(sysroot, out)
    upgrader = Upgrader(sysroot, args.osname, ignore_unconfigured=True)
    old = upgrader.refspec
    upgrader.set_origin(switch_origin(old, args.refspec))
    with PullStatus(out) as status:
        upgrader.pull(allow_older=True, report=status.update)
    upgrader.deploy()
    print(f"Deleting ref '{old.remote or '(null)'}:{old.ref}'", file=out)
    with sysroot.repo.transaction() as transaction:
        transaction.set_ref(old, None)
    if args.reboot:
        reboot(sysroot)
