"""``ostree remote summary NAME``: show the summary that a remote publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import filename, flag, positional, text
from pyostree.errors import NotFoundError

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "NAME"
NEEDS = REPO
OPTIONS = (
    flag("list-metadata-keys", help="Print the keys of its metadata"),
    text("print-metadata-key", metavar="KEY", help="Print one value of its metadata"),
    filename("cache-dir", metavar="DIR", help="Keep signed summaries here"),
    flag("raw", help="Print it as a variant"),
    positional("name", missing="NAME must be specified"),
)


class Args(NamedTuple):
    """Values of the options."""

    list_metadata_keys: bool
    print_metadata_key: str | None
    cache_dir: str | None
    raw: bool
    name: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Print the summary or a part of it."""
    from pyostree.cli.summary_view import SummaryView
    from pyostree.remote.fetch_summary import fetch_summary

    found = fetch_summary(repo, args.name, cache_dir=args.cache_dir)
    if found.data is None:
        raise NotFoundError("Remote server has no summary file")
    view = SummaryView(args.raw, args.list_metadata_keys, args.print_metadata_key)
    view.show(found.data, out)
    if found.gpg and view.is_default:
        from pyostree.cli.signature_text import write_signatures

        write_signatures(out, "\nGPG: Verification enabled, found {}", found.gpg)
