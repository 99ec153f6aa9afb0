"""``ostree static-delta delete DELTA``: remove a static delta."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO_WRITABLE
from pyostree.cli.options import positional

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "DELTA"
NEEDS = REPO_WRITABLE
OPTIONS = (positional("delta", missing="DELTA must be specified", plain=True),)


class Args(NamedTuple):
    """What was given on the command line."""

    delta: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Run the command."""
    from pyostree.errors import NotFoundError
    from pyostree.repo.delta_dirs import delete_delta, parse_delta_id

    if not delete_delta(repo, parse_delta_id(args.delta)):
        raise NotFoundError(f"Can't find delta {args.delta}")
