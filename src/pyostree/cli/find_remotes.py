"""``ostree find-remotes COLLECTION-ID REF...``: find repositories that have refs, and pull them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.collection_pairs import parse_pairs
from pyostree.cli.needs import REPO_WRITABLE
from pyostree.cli.options import UsageError, filename, flag, positionals, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyostree.formats.refspec import CollectionRef
    from pyostree.pull.finders.base import Finder, FinderResult
    from pyostree.remote.remotes import Remotes
    from pyostree.repo.repo import Repo

PARAMETERS = "COLLECTION-ID REF [COLLECTION-ID REF...]"
NEEDS = REPO_WRITABLE
OPTIONS = (
    filename("cache-dir", help="Keep summaries of remotes in this directory"),
    flag("disable-fsync", help="Do not wait for data to reach the disk"),
    text("finders", metavar="FINDERS", help="Where to look: some of config,lan,mount"),
    flag("pull", help="Pull what was found"),
    flag("mirror", help="Pull as a mirror (see ostree pull --mirror)"),
    positionals("pairs"),
)


class Args(NamedTuple):
    cache_dir: str | None
    disable_fsync: bool
    finders: str | None
    pull: bool
    mirror: bool
    pairs: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Find, print, and perhaps pull."""
    refs = parse_pairs(args.pairs)
    if args.mirror and not args.pull:
        raise UsageError("When --mirror is specified, --pull must also be")
    from pyostree.pull.finders.find import FindOptions, find_remotes
    from pyostree.remote.remotes import Remotes

    finders = _finders(args, refs)
    results = find_remotes(repo, refs, finders, FindOptions(cache_dir=args.cache_dir))
    remotes = Remotes.load(repo)
    for number, result in enumerate(results):
        _print_result(number, result, remotes, out)
    if not results:
        out.write("No results.\n")
        return
    _print_missing(refs, results, out)
    if args.pull:
        _pull(args, repo, results, out)
        out.write(f"Pulled {len(refs)}/{len(refs)} refs successfully.\n")


def _finders(args: Args, refs: Sequence[CollectionRef]) -> Sequence[Finder] | None:
    from pyostree.errors import ConflictError
    from pyostree.formats.refspec import check_collection_id, check_ref_name
    from pyostree.fs.dir import Dir
    from pyostree.pull.finders.names import make_finders

    for ref in refs:
        check_collection_id(ref.collection_id or "")
        check_ref_name(ref.ref)
    if args.cache_dir is not None:
        Dir.at(args.cache_dir).close()  # it must be there
    if args.finders is None:
        return None
    if not args.finders:
        raise UsageError("List of finders in --finders option must not be empty")
    try:
        return make_finders(args.finders.split(","))
    except ConflictError as err:
        raise UsageError(str(err)) from err


def _print_result(number: int, result: FinderResult, remotes: Remotes, out: TextIO) -> None:
    from datetime import UTC, datetime

    from pyostree.formats.variant_dict import collection_ref_order

    modified = "unknown"
    if result.last_modified in _DATES:
        modified = datetime.fromtimestamp(result.last_modified, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    url = remotes.url(result.remote) if isinstance(result.remote, str) else result.remote.url
    out.write(
        f"Result {number}: {url}\n"
        f" - Finder: {result.finder}\n"
        f" - Keyring: {result.keyring}\n"
        f" - Priority: {result.priority}\n"
        f" - Summary last modified: {modified}\n"
        " - Refs:\n"
    )
    for ref in collection_ref_order(result.refs):
        commit = result.refs[ref]
        out.write(f"    - {ref} = {'(not found)' if commit is None else commit}\n")
    out.write("\n")


# What can be written as a date; 0 stands for an unknown one.
_DATES = range(1, 253402300800)


def _print_missing(
    refs: Sequence[CollectionRef], results: Sequence[FinderResult], out: TextIO
) -> None:
    found = {ref for result in results for ref in result.found_refs}
    missing = [ref for ref in refs if ref not in found]
    out.write(f"{len(refs) - len(missing)}/{len(refs)} refs were found.\n")
    if missing:
        out.write("Refs not found in any remote:\n")
        out.writelines(f" - {ref}\n" for ref in missing)


def _pull(args: Args, repo: Repo, results: Sequence[FinderResult], out: TextIO) -> None:
    from pyostree.cli.found_pull import FoundPull
    from pyostree.pull.finders.pull import pull_from_remotes
    from pyostree.pull.options import PullOptions

    options = PullOptions(
        mirror=args.mirror, disable_fsync=args.disable_fsync, cache_dir=args.cache_dir
    )
    with FoundPull(out) as status:
        pull_from_remotes(repo, results, options, status.report)
