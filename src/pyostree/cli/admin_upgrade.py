"""``ostree admin upgrade``: deploy the newest commit of what the deployment follows."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.admin_reboot import reboot
from pyostree.cli.admin_settings import set_up
from pyostree.cli.needs import SYSROOT_ROOT
from pyostree.cli.options import UsageError, flag, text
from pyostree.errors import OstreeError

if TYPE_CHECKING:
    from pyostree.sysroot import Sysroot
    from pyostree.sysroot.upgrade import Upgrader

PARAMETERS = ""
NEEDS = SYSROOT_ROOT
OPTIONS = (
    text("os", metavar="OSNAME", dest="osname", help="Stateroot to upgrade, not the booted one"),
    flag("reboot", "r", help="Reboot after a successful upgrade"),
    flag("allow-downgrade", help="Accept a commit that is older than the current one"),
    text(
        "override-commit",
        metavar="CHECKSUM",
        help="Deploy this commit of the branch, not the newest",
    ),
    flag("pull-only", help="Only fetch, deploy nothing"),
    flag("deploy-only", help="Fetch nothing, deploy what is here"),
    flag("stage", help="Complete the deployment when the system shuts down"),
)


class Args(NamedTuple):
    """The values of the options above."""

    osname: str | None
    reboot: bool
    allow_downgrade: bool
    override_commit: str | None
    pull_only: bool
    deploy_only: bool
    stage: bool


def run(args: Args, sysroot: Sysroot, out: TextIO) -> None:
    """Run the command."""
    from pyostree.sysroot.deployment import without_transient_state
    from pyostree.sysroot.upgrade import Upgrader

    _check(args)
    set_up(sysroot, out)
    upgrader = Upgrader(sysroot, args.osname)
    origin = without_transient_state(upgrader.origin)
    if args.override_commit is not None:
        origin.set_string("origin", "override-commit", args.override_commit)
    upgrader.set_origin(origin)
    if not _pull(args, sysroot, upgrader, out):
        print("No update available.", file=out)
        return
    if not args.pull_only:
        upgrader.deploy(stage=args.stage)
    if args.reboot:
        reboot(sysroot)


def _check(args: Args) -> None:
    if args.pull_only and args.deploy_only:
        raise UsageError("Cannot simultaneously specify --pull-only and --deploy-only")
    if args.pull_only and args.reboot:
        raise UsageError("Cannot simultaneously specify --pull-only and --reboot or --kexec")


def _pull(args: Args, sysroot: Sysroot, upgrader: Upgrader, out: TextIO) -> bool:
    from pyostree.cli.pull_status import PullStatus
    from pyostree.sysroot.cleanup import cleanup

    try:
        with PullStatus(out) as status:
            return upgrader.pull(
                allow_older=args.allow_downgrade,
                fetch=not args.deploy_only,
                report=status.update,
            )
    except (OstreeError, OSError):
        if args.pull_only:
            with suppress(OstreeError, OSError):  # the failure of the pull is what matters
                cleanup(sysroot)
        raise
