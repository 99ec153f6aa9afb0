"""``ostree ls COMMIT [PATH...]``: list the files of a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import flag, positional, positionals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyostree.repo.repo import Repo
    from pyostree.repo.tree import CommitTree, TreeEntry

PARAMETERS = "COMMIT [PATH...]"
NEEDS = REPO
OPTIONS = (
    flag("dironly", "d", help="Do not list what directories contain"),
    flag("recursive", "R", help="List all below"),
    flag("checksum", "C", help="Print checksums"),
    flag("xattrs", "X", help="Print extended attributes"),
    flag("nul-filenames-only", help="Print only names, each followed by a NUL"),
    positional("commit", missing="An COMMIT argument is required"),
    positionals("paths"),
)


class Args(NamedTuple):
    dironly: bool
    recursive: bool
    checksum: bool
    xattrs: bool
    nul_filenames_only: bool
    commit: str
    paths: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """List each path."""
    from pyostree.errors import doing
    from pyostree.repo.tree import CommitTree

    tree = CommitTree(repo, repo.resolve(args.commit))
    for path in args.paths or ("/",):
        with doing(f"Inspecting path '{path}'"):
            top = tree.look_up(path)
        entries = _entries(args, tree, top)
        if args.nul_filenames_only:
            _print_names(entries, out)
        else:
            _print_lines(args, repo, entries, out)


def _entries(args: Args, tree: CommitTree, top: TreeEntry) -> Iterator[TreeEntry]:
    if args.recursive:
        return tree.walk(top)
    return tree.walk(top, enter=lambda entry: entry is top and not args.dironly)


def _print_names(entries: Iterator[TreeEntry], out: TextIO) -> None:
    out.flush()
    for entry in entries:
        out.buffer.write(entry.path.encode() + b"\0")


def _print_lines(args: Args, repo: Repo, entries: Iterator[TreeEntry], out: TextIO) -> None:
    from pyostree.cli.tree_text import TreePrinter

    printer = TreePrinter(repo, with_checksums=args.checksum, with_xattrs=args.xattrs)
    for entry in entries:
        out.write(printer.line(entry))
