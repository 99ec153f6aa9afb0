"""``ostree refs [PREFIX]``: list, create and delete refs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import flag, positionals, text
from pyostree.errors import OstreeError

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "[PREFIX]"
NEEDS = REPO
OPTIONS = (
    flag("delete", help="Delete the refs that PREFIX matches"),
    flag("list", help="Print whole names, PREFIX included"),
    flag("revision", "r", help="Print the commits, too"),
    flag("alias", "A", help="List aliases, or create one"),
    text("create", metavar="NEWREF", help="Create a ref for an existing revision"),
    flag("collections", "c", help="Work on refs of collections"),
    flag("force", help="With --create: replace an existing ref"),
    positionals("prefixes"),
)


class Args(NamedTuple):
    delete: bool
    list: bool
    revision: bool
    alias: bool
    create: str | None
    collections: bool
    force: bool
    prefixes: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """List, create or delete."""
    if args.create is not None:
        _create(args, args.create, repo)
    elif args.delete:
        _delete(args, repo)
    else:
        for prefix in args.prefixes or (None,):
            _list(args, repo, prefix, out)


def _list(args: Args, repo: Repo, prefix: str | None, out: TextIO) -> None:
    from pyostree.repo import ref_admin

    if args.collections:
        for ref, checksum in ref_admin.select_collection_refs(repo, prefix).items():
            out.write(f"{ref}\t{checksum}\n" if args.revision else f"{ref}\n")
    elif args.alias:
        for alias, target in ref_admin.select_aliases(repo, prefix).items():
            out.write(f"{alias} -> {target}\n")
    else:
        refs = ref_admin.select_refs(repo, prefix, full_names=args.list)
        for name, checksum in refs.items():
            out.write(f"{name}\t{checksum}\n" if args.revision else f"{name}\n")


def _create(args: Args, new: str, repo: Repo) -> None:
    from pyostree.repo import ref_admin

    if not args.prefixes:
        raise OstreeError("You must specify a revision when creating a new ref")
    if len(args.prefixes) > 1:
        raise OstreeError("You must specify only 1 existing ref when creating a new ref")
    revision = args.prefixes[0]
    if args.collections:
        ref_admin.create_collection_ref(repo, new, revision)
    elif args.alias:
        ref_admin.create_alias(repo, new, revision, force=args.force)
    else:
        ref_admin.create_ref(repo, new, revision, force=args.force)


def _delete(args: Args, repo: Repo) -> None:
    from pyostree.repo import ref_admin

    if not args.prefixes:
        raise OstreeError("At least one PREFIX is required when deleting refs")
    for prefix in args.prefixes:
        if args.collections:
            ref_admin.delete_collection_refs(repo, prefix)
        else:
            ref_admin.delete_refs(repo, prefix)
