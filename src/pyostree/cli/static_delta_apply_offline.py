"""``ostree static-delta apply-offline PATH``: apply a static delta from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO_WRITABLE
from pyostree.cli.options import positional, positionals
from pyostree.cli.public_keys import PUBLIC_KEY_OPTIONS

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "PATH [KEY...]"
NEEDS = REPO_WRITABLE
OPTIONS = (
    *PUBLIC_KEY_OPTIONS,
    positional("path", missing="PATH must be specified", plain=True),
    positionals("keys"),
)


class Args(NamedTuple):
    """What was given on the command line."""

    sign_type: str | None
    keys_file: str | None
    keys_dir: str | None
    path: str
    keys: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Run the command."""
    from pyostree.delta.offline import apply_offline
    from pyostree.delta.signatures import DeltaKeys

    keys = DeltaKeys(args.sign_type, args.keys, args.keys_file, args.keys_dir)
    apply_offline(repo, args.path, keys)
