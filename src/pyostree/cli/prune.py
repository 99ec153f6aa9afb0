"""``ostree prune``: delete objects that nothing needs."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import UsageError, flag, integer, text, texts
from pyostree.errors import ConflictError, FormatError

if TYPE_CHECKING:
    from pyostree.repo.prune import PruneOptions, PruneResult
    from pyostree.repo.repo import Repo

PARAMETERS = ""
NEEDS = REPO
OPTIONS = (
    flag("no-prune", help="Only print what would be deleted"),
    flag("refs-only", help="Keep only what refs need, not every commit"),
    integer("depth", metavar="N", default=-1, help="Parents to keep; -1, the default, for all"),
    text("delete-commit", metavar="CHECKSUM", help="Delete this commit first"),
    text("keep-younger-than", metavar="DATE", help="Keep the commits of refs back to DATE"),
    flag("static-deltas-only", help="With --delete-commit: delete only the deltas to it"),
    texts("retain-branch-depth", metavar="REF=N", help="Parents to keep of this ref"),
    texts("only-branch", metavar="REF", help="Prune only this ref; may be repeated"),
    flag("commit-only", help="Look at commit objects only"),
)
_DEPTH = re.compile(r"\s*([+-]?[0-9]+)")
_MAX_DEPTH = (1 << 63) - 1


class Args(NamedTuple):
    no_prune: bool
    refs_only: bool
    depth: int
    delete_commit: str | None
    keep_younger_than: str | None
    static_deltas_only: bool
    retain_branch_depth: tuple[str, ...]
    only_branch: tuple[str, ...]
    commit_only: bool


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Delete, and print how much that was."""
    from pyostree.cli.progress import shown_progress
    from pyostree.progress import watch_with
    from pyostree.repo import prune

    if not args.no_prune:
        repo.check_writable()
    if args.delete_commit is not None:
        if args.no_prune:
            raise UsageError("Cannot specify both --delete-commit and --no-prune")
        if args.static_deltas_only:
            prune.delete_deltas_to(repo, args.delete_commit)
        else:
            prune.delete_commit(repo, args.delete_commit)
    elif args.static_deltas_only:
        raise ConflictError(
            "--static-deltas-only requires --delete-commit; "
            "see https://github.com/ostreedev/ostree/issues/1479"
        )
    options = _options(args)
    with shown_progress() as show:
        result = prune.prune(repo, options, watch_with(show))
    _print_result(args, result, out)


def _options(args: Args) -> PruneOptions:
    from pyostree.repo.prune import PruneOptions

    oldest: int | None = None
    if args.keep_younger_than is not None:
        from pyostree.formats.dates import parse_date  # slow to import

        oldest = parse_date(args.keep_younger_than, time.time())
    return PruneOptions(
        no_prune=args.no_prune,
        refs_only=args.refs_only,
        depth=args.depth,
        commit_only=args.commit_only,
        branch_depths=dict(map(_branch_depth, args.retain_branch_depth)),
        only_branches=args.only_branch,
        keep_younger_than=oldest,
    )


def _branch_depth(word: str) -> tuple[str, int]:
    branch, equals, number = word.partition("=")
    if not equals:
        raise FormatError(f"Invalid value {word}, must specify BRANCH=DEPTH")
    found = _DEPTH.match(number)
    if found is None:
        raise FormatError(f"Invalid depth {number}")
    depth = int(found[1])
    if abs(depth) > _MAX_DEPTH:
        raise FormatError(f"Out of range depth {number}")
    return branch, depth


def _print_result(args: Args, result: PruneResult, out: TextIO) -> None:
    from pyostree.formats.sizes import format_size

    kind = "Total (commit only) objects" if args.commit_only else "Total objects"
    size = format_size(result.freed_bytes)
    out.write(f"{kind}: {result.total}\n")
    if result.deleted == 0:
        out.write("No unreachable objects\n")
    elif args.no_prune:
        out.write(f"Would delete: {result.deleted} objects, freeing {size}\n")
    else:
        out.write(f"Deleted {result.deleted} objects, {size} freed\n")
