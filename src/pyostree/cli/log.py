"""``ostree log REV``: print a commit and its ancestors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.commit_text import write_commit, write_raw_commit
from pyostree.cli.needs import REPO
from pyostree.cli.options import flag, positional

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "REV"
NEEDS = REPO
OPTIONS = (
    flag("raw", help="Print the commits as GVariant text"),
    positional("rev", missing="A rev argument is required"),
)


class Args(NamedTuple):
    raw: bool
    rev: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Print the history, newest first."""
    from pyostree.repo.traverse import iter_history

    for checksum, commit in iter_history(repo, repo.resolve(args.rev)):
        if commit is None:
            out.write("<< History beyond this commit not fetched >>\n")
        elif args.raw:
            write_raw_commit(out, repo, checksum)
        else:
            write_commit(out, checksum, commit)
