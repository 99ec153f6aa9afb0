"""``ostree init``: create a repository."""

from __future__ import annotations

from typing import NamedTuple, TextIO

from pyostree.cli.needs import REPO_PATH
from pyostree.cli.options import text

PARAMETERS = ""
NEEDS = REPO_PATH
OPTIONS = (
    text("mode", metavar="MODE", default="bare", help="bare, bare-user, bare-user-only or archive"),
    text("collection-id", metavar="ID", help="Globally unique ID of this set of refs"),
)


class Args(NamedTuple):
    mode: str
    collection_id: str | None


def run(args: Args, path: str, out: TextIO) -> None:
    """Create the repository; an existing one stays as it is."""
    from pyostree.repo.modes import parse_mode
    from pyostree.repo.repo import Repo

    Repo.create(path, parse_mode(args.mode), collection_id=args.collection_id).close()
