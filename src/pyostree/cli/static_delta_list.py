"""``ostree static-delta list``: list the static deltas of a repository."""

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
    from pyostree.repo.delta_dirs import iter_deltas

    for line in [str(name) for name in iter_deltas(repo)] or ["(No static deltas)"]:
        print(line, file=out)
