"""``ostree reset REF COMMIT``: point an existing ref to another commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO_WRITABLE
from pyostree.cli.options import UsageError, positionals

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "REF COMMIT"
NEEDS = REPO_WRITABLE
_MISSING = "A REF and COMMIT argument is required"
OPTIONS = (positionals("words", missing=_MISSING),)


class Args(NamedTuple):
    words: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Reset the ref."""
    from pyostree.repo.ref_admin import reset_ref

    match args.words:
        case (ref, commit, *_):
            reset_ref(repo, ref, commit)
        case _:
            raise UsageError(_MISSING)
