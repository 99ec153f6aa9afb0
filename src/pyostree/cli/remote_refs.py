"""``ostree remote refs NAME``: list the refs that a remote offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import filename, flag, positional
from pyostree.errors import NotFoundError

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "NAME"
NEEDS = REPO
OPTIONS = (
    flag("revision", "r", help="Print the commits too"),
    filename("cache-dir", metavar="DIR", help="Keep signed summaries here"),
    positional("name", missing="NAME must be specified"),
)


class Args(NamedTuple):
    """Values of the options."""

    revision: bool
    cache_dir: str | None
    name: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Print one line per ref, sorted."""
    from pyostree.formats.summary_index import SummaryIndex
    from pyostree.remote.fetch_summary import fetch_summary

    found = fetch_summary(repo, args.name, cache_dir=args.cache_dir)
    if found.data is None:
        raise NotFoundError("Remote refs not available; server has no summary file")
    for ref in sorted(SummaryIndex(found.data).refs, key=lambda ref: ref.name.encode()):
        commit = f"\t{ref.checksum}" if args.revision else ""
        print(f"{args.name}:{ref.name}{commit}", file=out)
