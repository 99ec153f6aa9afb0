"""``ostree remote show-url NAME``: print where a remote is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import positional

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "NAME"
NEEDS = REPO
OPTIONS = (positional("name", missing="NAME must be specified"),)


class Args(NamedTuple):
    """Values of the options."""

    name: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Print the URL as it is configured."""
    from pyostree.remote.remotes import Remotes

    print(Remotes.load(repo).url(args.name), file=out)
