"""``ostree remote delete NAME``: remove a remote's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO_OR_SYSROOT
from pyostree.cli.options import flag, positional

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "NAME"
NEEDS = REPO_OR_SYSROOT
OPTIONS = (
    flag("if-exists", help="Succeed when there is no such remote"),
    positional("name", missing="NAME must be specified"),
)


class Args(NamedTuple):
    """Values of the options."""

    if_exists: bool
    name: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Delete the remote."""
    from pyostree.remote.remotes import Remotes

    Remotes.load(repo).delete(args.name, missing_ok=args.if_exists)
