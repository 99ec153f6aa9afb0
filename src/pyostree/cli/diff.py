"""``ostree diff [REV_OR_DIR] REV_OR_DIR``: compare two trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import flag, integer, positional

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "REV_OR_DIR REV_OR_DIR"
NEEDS = REPO
OPTIONS = (
    flag("stats", help="Print how many objects the commits have and share"),
    flag("fs-diff", help="Print which files differ; the default without --stats"),
    flag("no-xattrs", help="Ignore extended attributes"),
    integer("owner-uid", metavar="UID", help="Take this as owner in the second tree, if local"),
    integer("owner-gid", metavar="GID", help="Take this as group in the second tree, if local"),
    positional("first", missing="REV must be specified"),
    positional("second"),
)


class Args(NamedTuple):
    stats: bool
    fs_diff: bool
    no_xattrs: bool
    owner_uid: int | None
    owner_gid: int | None
    first: str
    second: str | None


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Compare two trees, or a commit with its parent."""
    first, second = args.first, args.second
    if second is None:
        first, second = f"{first}^", first
    if args.fs_diff or not args.stats:
        _print_diff(args, repo, (first, second), out)
    if args.stats:
        _print_stats(repo, (first, second), out)


def _print_diff(args: Args, repo: Repo, sides: tuple[str, str], out: TextIO) -> None:
    from pyostree.repo.diff import DiffOptions, diff_trees

    options = DiffOptions(
        with_xattrs=not args.no_xattrs,
        owner_uid=_given(args.owner_uid),
        owner_gid=_given(args.owner_gid),
    )
    found = diff_trees(repo, *sides, options)
    for letter, paths in (("M", found.modified), ("D", found.removed), ("A", found.added)):
        for path in paths:
            out.write(f"{letter}    {path}\n")


def _given(number: int | None) -> int | None:
    return None if number is None or number < 0 else number


def _print_stats(repo: Repo, sides: tuple[str, str], out: TextIO) -> None:
    from pyostree.formats.sizes import format_size
    from pyostree.repo.diff import diff_stats

    stats = diff_stats(repo, *sides)
    out.write(f"[A] Object Count: {stats.first}\n")
    out.write(f"[B] Object Count: {stats.second}\n")
    out.write(f"Common Object Count: {stats.common}\n")
    out.write(f"Common Object Size: {format_size(stats.common_bytes)}\n")
