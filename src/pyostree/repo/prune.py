"""Prune: deleting the objects that nothing to be kept needs."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from typing import NamedTuple

from pyostree.errors import ConflictError, doing
from pyostree.formats.objects import (
    ObjectName,
    ObjectType,
    is_checksum,
    parse_checksum,
)
from pyostree.progress import UNWATCHED, Phase, Watch
from pyostree.repo.delta_dirs import DeltaName, delete_delta, iter_deltas
from pyostree.repo.remote_groups import configured_remotes
from pyostree.repo.repo import Repo
from pyostree.repo.retention import add_roots
from pyostree.repo.sweep import PruneResult, delete_object, sweep
from pyostree.repo.traverse import ALL_PARENTS, Reachable

__all__ = [
    "PruneOptions",
    "PruneResult",
    "delete_commit",
    "delete_deltas_to",
    "enable_tombstones",
    "prune",
]

_SUMMARY_CACHE = "cache/summaries"


class PruneOptions(NamedTuple):
    """What to keep and what to look at.

    Attributes:
        no_prune: only count.
        refs_only: keep what refs need; otherwise every commit in the repository is kept.
        depth: parents to keep of each commit that is kept for itself; -1 for all.
        commit_only: look at commit objects only.
        branch_depths: own `depth` of some refs.
        only_branches: the refs to prune, all others keep their history; empty for all refs.
        keep_younger_than: refs keep their parents back to this time, seconds since 1970 UTC.
    """

    no_prune: bool = False
    refs_only: bool = False
    depth: int = ALL_PARENTS
    commit_only: bool = False
    branch_depths: dict[str, int] = {}  # noqa: RUF012 - a NamedTuple's default, never changed
    only_branches: tuple[str, ...] = ()
    keep_younger_than: int | None = None

    @property
    def is_by_ref(self) -> bool:
        """Whether each ref has a rule of its own."""
        return bool(self.branch_depths or self.only_branches or self.keep_younger_than is not None)


def prune(repo: Repo, options: PruneOptions, watch: Watch = UNWATCHED) -> PruneResult:
    """Delete (or count) the objects that are not needed.

    Args:
        watch: hears of the directories that are read, then of the objects that are looked at;
            cancelled, it leaves whole commits and perhaps rubbish.

    Raises:
        OSError: others hold the lock, or an object cannot be deleted.
        ObjectNotFoundError: the tree of a commit that is not partial has a hole.
    """
    with repo.lock.held(exclusive=True, watch=watch):
        watch.begin(Phase.SCAN)
        reachable = Reachable(repo, commits_only=options.commit_only, watch=watch)
        add_roots(repo, options, reachable)
        result = sweep(
            repo,
            reachable,
            commit_only=options.commit_only,
            no_prune=options.no_prune,
            watch=watch,
        )
        watch.finish()
        if not options.no_prune:
            _delete_stale_deltas(repo)
            _delete_stale_summaries(repo)
        return result


def enable_tombstones(repo: Repo) -> None:
    """Make deleted commits leave tombstones from now on."""
    keyfile = repo.config.keyfile.copy()
    keyfile.set_boolean("core", "tombstone-commits", True)
    repo.write_config(keyfile)


def delete_commit(repo: Repo, checksum: str) -> None:
    """Delete one commit object, leaving a tombstone; its tree stays for `prune`.

    Args:
        checksum: the whole checksum; any other text names a commit that does not exist.

    Raises:
        ConflictError: a ref points at the commit.
        OSError: there is no such commit object.
    """
    # The lock comes first: a commit that is being made may set a ref to this very one.
    with repo.lock.held(exclusive=True):
        _check_unreferenced(repo, checksum)
        enable_tombstones(repo)
        if is_checksum(checksum):
            delete_object(repo, ObjectName(parse_checksum(checksum), ObjectType.COMMIT))
            return
        err = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        err.add_note(f"unlinkat({checksum[:2]}/{checksum[2:]}.commit)")
        err.add_note(f"Deleting object {checksum}.commit")
        raise err


def _check_unreferenced(repo: Repo, checksum: str) -> None:
    with doing("Listing refs"):
        refs = repo.refs.list()
        collection_refs = repo.refs.list_collections(repo.config.collection_id, {})
    for holder, text in (
        *((f"'{name}'", text) for name, text in refs.items()),
        *((str(ref), text) for ref, text in collection_refs.items()),
    ):
        if text == checksum:
            raise ConflictError(f"Commit '{checksum}' is referenced by {holder}")


def delete_deltas_to(repo: Repo, checksum: str) -> None:
    """Delete the static deltas that produce a commit."""
    with repo.lock.held(exclusive=True):
        _delete_deltas(repo, [name for name in iter_deltas(repo) if str(name.target) == checksum])


def _delete_stale_deltas(repo: Repo) -> None:
    stale = [
        name
        for name in iter_deltas(repo)
        if not repo.store.has(ObjectName(name.target, ObjectType.COMMIT))
    ]
    _delete_deltas(repo, stale)


def _delete_deltas(repo: Repo, names: Iterable[DeltaName]) -> None:
    for name in names:
        with doing(f"Deleting static delta to {name.target}"):
            delete_delta(repo, name)


def _delete_stale_summaries(repo: Repo) -> None:
    """Delete cached summaries of remotes that are not configured any more."""
    if not repo.tmp.is_dir(_SUMMARY_CACHE):
        return
    remotes = configured_remotes(repo)
    with repo.tmp.open_dir(_SUMMARY_CACHE) as cache:
        for name in cache.list():
            if name.removesuffix(".sig") not in remotes:
                cache.remove(name, missing_ok=True)
