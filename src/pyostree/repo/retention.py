"""Which commits a prune keeps: the rules about refs, depths and ages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import doing
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.repo.repo import Repo
from pyostree.repo.traverse import ALL_PARENTS, Reachable, load_commit_links

if TYPE_CHECKING:
    from pyostree.repo.prune import PruneOptions


class _Rule(NamedTuple):
    """What is kept of one ref: `depth` parents, or if that is None those that are young enough."""

    tip: Checksum
    depth: int | None


def add_roots(repo: Repo, options: PruneOptions, reachable: Reachable) -> None:
    """Add all that a prune with these options keeps to `reachable` (errors as `add_history`).

    Raises:
        RefNotFoundError: one of the branches to prune does not exist.
    """
    if options.is_by_ref:
        for name in options.only_branches:
            repo.resolve(name)
        rules = [_rule(name, tip, options) for name, tip in _refs(repo)]
        reachable.add_histories((one.tip, one.depth) for one in rules if one.depth is not None)
        if options.keep_younger_than is not None:
            tips = [one.tip for one in rules if one.depth is None]
            _add_younger(repo, tips, options.keep_younger_than, reachable)
    elif options.refs_only:
        reachable.add_histories((tip, options.depth) for _, tip in _refs(repo))
    else:
        # Every commit is kept for itself, however deep it lies.
        reachable.add_histories((commit, 0) for commit in repo.store.iter_commits())


def _refs(repo: Repo) -> Iterator[tuple[str, Checksum]]:
    with doing("Listing refs"):
        refs = repo.refs.list()
        mirrors = repo.refs.list_collections(None, {})
    for name, text in refs.items():
        yield name, parse_checksum(text)
    for ref, text in mirrors.items():
        yield str(ref), parse_checksum(text)


def _rule(name: str, tip: Checksum, options: PruneOptions) -> _Rule:
    depth = options.branch_depths.get(name)
    if depth is not None:
        return _Rule(tip, depth)
    if options.only_branches and name not in options.only_branches:
        return _Rule(tip, ALL_PARENTS)
    return _Rule(tip, options.depth if options.keep_younger_than is None else None)


def _add_younger(repo: Repo, tips: list[Checksum], oldest: int, reachable: Reachable) -> None:
    """Add the tips, of whatever age, and their ancestors up to the first that is too old."""
    followed: set[Checksum] = set()  # histories join, and a forged one could be a circle
    for tip in tips:
        current: Checksum | None = tip
        while current is not None and current not in followed:
            commit = load_commit_links(repo, current)
            if commit is None or (current != tip and commit.timestamp < oldest):
                break
            followed.add(current)
            reachable.add_commit(current, commit)
            current = commit.parent
