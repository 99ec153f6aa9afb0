"""``ostree static-delta reindex``: bring the indexes of static deltas up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO_WRITABLE
from pyostree.cli.options import text

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = ""
NEEDS = REPO_WRITABLE
OPTIONS = (text("to", metavar="REV", help="Only the index of deltas to this commit"),)


class Args(NamedTuple):
    """What was given on the command line."""

    to: str | None


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Run the command."""
    from pyostree.repo.delta_index import reindex

    reindex(repo, args.to)
