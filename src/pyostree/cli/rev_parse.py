"""``ostree rev-parse REV``: print the commit checksum that a revision names."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import UsageError, flag, positionals
from pyostree.errors import AmbiguousRevError, NotFoundError

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "REV"
NEEDS = REPO
OPTIONS = (
    flag("single", "S", help="Print the only commit of the repository"),
    positionals("revs"),
)


class Args(NamedTuple):
    single: bool
    revs: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Print one checksum per line."""
    if args.single:
        if args.revs:
            raise UsageError("Cannot specify arguments with --single")
        _print_single(repo, out)
        return
    if not args.revs:
        raise UsageError("REV must be specified")
    for rev in args.revs:
        out.write(f"{repo.resolve(rev)}\n")


def _print_single(repo: Repo, out: TextIO) -> None:
    commits = list(islice(repo.store.iter_commits(), 2))
    if not commits:
        raise NotFoundError("No commit objects found")
    if len(commits) > 1:
        raise AmbiguousRevError("Multiple commit objects found")
    out.write(f"{commits[0]}\n")
