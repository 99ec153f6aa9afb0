"""``ostree cat COMMIT PATH...``: write files of a commit to standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import UsageError, positionals

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "COMMIT PATH..."
NEEDS = REPO
_MISSING = "A COMMIT and at least one PATH argument are required"
_CLOSED = "Error writing to file descriptor: Bad file descriptor"
OPTIONS = (positionals("words", missing=_MISSING),)


class Args(NamedTuple):
    words: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Write each file, one after the other."""
    from pyostree.cli.console import binary_output
    from pyostree.errors import doing
    from pyostree.repo.tree import CommitTree

    commit, *paths = args.words
    if not paths:
        raise UsageError(_MISSING)
    tree = CommitTree(repo, repo.resolve(commit))
    out.flush()
    for path in paths:
        file = tree.look_up_content(path)
        target = binary_output(out, _CLOSED)
        with repo.store.open_content(file.checksum) as content, doing(f"{file.checksum}.file"):
            for chunk in content.chunks():
                target.write(chunk)
