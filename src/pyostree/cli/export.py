"""``ostree export COMMIT``: write a commit's tree as a tar archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import filename, flag, positional

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "COMMIT"
NEEDS = REPO
OPTIONS = (
    flag("no-xattrs", help="Leave out extended attributes; the format has no place for them"),
    filename("subpath", metavar="PATH", help="Only this directory of the tree"),
    filename("prefix", metavar="PATH", help="Put this before every name, slash included"),
    filename("output", "o", metavar="PATH", help="Write to this file; default: standard output"),
    positional("commit", missing="A COMMIT argument is required"),
)


class Args(NamedTuple):
    no_xattrs: bool
    subpath: str | None
    prefix: str | None
    output: str | None
    commit: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    from pyostree.cli.console import binary_output
    from pyostree.cli.progress import shown_progress
    from pyostree.progress import watch_with
    from pyostree.repo.tar_export import export_tar, export_to_file

    subpath, prefix = args.subpath, args.prefix or ""
    with shown_progress() as show:
        watch = watch_with(show)
        if args.output:
            export_to_file(
                repo, args.commit, args.output, subpath=subpath, prefix=prefix, watch=watch
            )
            return
        out.flush()
        for piece in export_tar(repo, args.commit, subpath=subpath, prefix=prefix, watch=watch):
            binary_output(out, "Write error").write(piece)
