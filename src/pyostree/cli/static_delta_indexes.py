"""``ostree static-delta indexes``: list the commits that have an index of static deltas."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = ""
NEEDS = REPO
OPTIONS = ()


class Args(NamedTuple):
    """Nothing can be given."""


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Run the command."""
    from pyostree.repo.delta_index import list_indexes

    for line in [str(target) for target in list_indexes(repo)] or ["(No static deltas indexes)"]:
        print(line, file=out)
