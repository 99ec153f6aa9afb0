"""``ostree admin deploy REFSPEC``: make a revision the default deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.admin_settings import set_up
from pyostree.cli.needs import SYSROOT_ROOT
from pyostree.cli.options import UsageError, filename, flag, positional, text, texts

if TYPE_CHECKING:
    from pyostree.formats.keyfile import KeyFile
    from pyostree.sysroot import Sysroot

PARAMETERS = "REFSPEC"
NEEDS = SYSROOT_ROOT
OPTIONS = (
    text(
        "os", metavar="OSNAME", dest="osname", help="Stateroot to deploy to; needed if not booted"
    ),
    text("stateroot", metavar="STATEROOT", help="Same as --os"),
    filename("origin-file", metavar="FILENAME", help="Use this origin instead of one for REFSPEC"),
    flag("no-prune", help="Leave objects that nothing uses in the repository"),
    flag("no-merge", help="Take over neither /etc nor kernel arguments"),
    flag("retain", help="Keep all deployments"),
    flag("stage", help="Complete the deployment when the system shuts down"),
    flag("retain-pending", help="Keep deployments that wait for being booted"),
    flag("retain-rollback", help="Keep deployments to roll back to"),
    flag("not-as-default", help="Put the new deployment behind the booted one"),
    flag("karg-proc-cmdline", help="Start from the running kernel's arguments"),
    texts(
        "karg",
        metavar="NAME=VALUE",
        help="Set a kernel argument, such as root=/dev/sda1, in place of any with its name",
    ),
    texts(
        "karg-append",
        metavar="NAME=VALUE",
        help="Add a kernel argument, for those that may stand several times, such as console=",
    ),
    flag("karg-none", help="Start without kernel arguments"),
    texts("karg-delete", metavar="NAME=VALUE", help="Remove a kernel argument if there is one"),
    positional("refspec", missing="REF/REV must be specified"),
)


class Args(NamedTuple):
    """The values of the options above."""

    osname: str | None
    stateroot: str | None
    origin_file: str | None
    no_prune: bool
    no_merge: bool
    retain: bool
    stage: bool
    retain_pending: bool
    retain_rollback: bool
    not_as_default: bool
    karg_proc_cmdline: bool
    karg: tuple[str, ...]
    karg_append: tuple[str, ...]
    karg_none: bool
    karg_delete: tuple[str, ...]
    refspec: str


def run(args: Args, sysroot: Sysroot, out: TextIO) -> None:
    """Run the command."""
    from pyostree.sysroot.deploy_rev import DeployOptions, KernelArgChanges, deploy_rev
    from pyostree.sysroot.retain import Retention

    _check(args)
    set_up(sysroot, out)
    stateroot = args.stateroot if args.stateroot is not None else args.osname
    sysroot.require_stateroot(stateroot)  # told before a missing origin file
    options = DeployOptions(
        args.refspec,
        stateroot=stateroot,
        origin=None if args.origin_file is None else _read_origin(args.origin_file),
        kernel_args=KernelArgChanges(
            none=args.karg_none,
            running=args.karg_proc_cmdline,
            replace=args.karg,
            append=args.karg_append,
            delete=args.karg_delete,
        ),
        retention=Retention(
            everything=args.retain,
            pending=args.retain_pending,
            rollback=args.retain_rollback,
            not_default=args.not_as_default,
        ),
        merge=not args.no_merge,
        prune=not args.no_prune,
        stage=args.stage,
    )
    deploy_rev(sysroot, options)


def _check(args: Args) -> None:
    if args.karg_proc_cmdline and args.karg_none:
        raise UsageError("Can't specify both --karg-proc-cmdline and --karg-none")
    if args.karg_none and args.karg_delete:
        raise UsageError("Can't specify both --karg-none and --karg-delete")
    if args.no_merge and args.karg_delete:
        raise UsageError("Can't specify both --no-merge and --karg-delete")


def _read_origin(path: str) -> KeyFile:
    from pyostree.sysroot.origin import read_origin_file

    return read_origin_file(path)
