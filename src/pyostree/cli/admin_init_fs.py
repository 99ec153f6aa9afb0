"""``ostree admin init-fs PATH``: prepare an empty root file system."""

from __future__ import annotations

from typing import NamedTuple, TextIO

from pyostree.cli.needs import SYSROOT_PATH
from pyostree.cli.options import flag, integer, positional

PARAMETERS = "PATH"
NEEDS = SYSROOT_PATH
OPTIONS = (
    flag("modern", help="Same as --epoch=1"),
    integer(
        "epoch",
        "E",
        metavar="N",
        default=0,
        help="0 makes all classic top-level directories, 1 only what is needed, "
        "2 in addition keeps /ostree private",
    ),
    positional("path", missing="PATH must be specified"),
)


class Args(NamedTuple):
    """The values of the options above."""

    modern: bool
    epoch: int
    path: str


def run(args: Args, out: TextIO) -> None:
    """Run the command."""
    from pyostree.sysroot.init_fs import init_fs

    init_fs(args.path, epoch=1 if args.modern and args.epoch == 0 else args.epoch)
