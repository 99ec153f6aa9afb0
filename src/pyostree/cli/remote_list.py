"""``ostree remote list``: print the names of the configured remotes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import flag

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = ""
NEEDS = REPO
OPTIONS = (flag("show-urls", "u", help="Print their URLs too"),)


class Args(NamedTuple):
    """Values of the options."""

    show_urls: bool


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Print one line per remote."""
    from pyostree.remote.remotes import Remotes

    remotes = Remotes.load(repo)
    names = remotes.names()
    width = max((len(name) for name in names), default=0)
    for name in names:
        print(f"{name:{width}}  {remotes.url(name)}" if args.show_urls else name, file=out)
