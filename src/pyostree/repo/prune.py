"""Prune: deleting the objects that nothing to be kept needs."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyostree.errors import ConflictError, doing
from pyostree.formats.commit import encode_metadata
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import (
    Checksum,
    ObjectName,
    ObjectType,
    is_checksum,
    loose_path,
    parse_checksum,
)
from pyostree.progress import UNWATCHED, Phase, Watch
from pyostree.repo.delta_dirs import DeltaName, delete_delta, iter_deltas
from pyostree.repo.remote_groups import iter_remote_names
from pyostree.repo.repo import Repo
from pyostree.repo.traverse import ALL_PARENTS, Reachable, load_commit_if_present

_SUMMARY_CACHE = "cache/summaries"
_NO_THRESHOLD = (1 << 64) - 1


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


class PruneResult(NamedTuple):
    """Counts of objects seen and of those (to be) deleted, with the bytes of the latter."""

    total: int
    deleted: int
    freed_bytes: int


def prune(repo: Repo, options: PruneOptions, watch: Watch = UNWATCHED) -> PruneResult:
    """Delete (or count) the objects that are not needed.

    Args:
        watch: hears of the directories that are read, then of the objects that are looked at;
            cancelled, it leaves whole commits and perhaps rubbish.

    Raises:
        OSError: others hold the lock, or an object cannot be deleted.
        ObjectNotFoundError: the tree of a commit that is not partial has a hole.
    """
    with repo.lock.held(exclusive=True):
        watch.begin(Phase.SCAN)
        reachable = Reachable(repo, commits_only=options.commit_only, watch=watch)
        if options.is_by_ref:
            _add_by_rules(repo, options, reachable)
        else:
            for commit in _roots(repo, refs_only=options.refs_only):
                reachable.add_history(commit, options.depth)
        watch.begin(Phase.DELETE)
        result = _sweep(repo, reachable, options, watch)
        watch.finish()
        if not options.no_prune:
            _delete_stale_deltas(repo)
            _delete_stale_summaries(repo)
        return result


def _roots(repo: Repo, *, refs_only: bool) -> Iterator[Checksum]:
    if not refs_only:
        yield from repo.store.iter_commits()
        return
    with doing("Listing refs"):
        texts = [*repo.refs.list().values(), *repo.refs.list_collections(None, {}).values()]
    yield from map(parse_checksum, texts)


def _add_by_rules(repo: Repo, options: PruneOptions, reachable: Reachable) -> None:
    for name in options.only_branches:
        repo.resolve(name)
    with doing("Listing refs"):
        refs = repo.refs.list()
    for name, text in refs.items():
        commit = parse_checksum(text)
        is_chosen = not options.only_branches or name in options.only_branches
        depth = options.branch_depths.get(name)
        if depth is not None:
            reachable.add_history(commit, depth)
        elif not is_chosen:
            reachable.add_history(commit, ALL_PARENTS)
        elif options.keep_younger_than is not None:
            _add_younger(repo, commit, options.keep_younger_than, reachable)
        else:
            reachable.add_history(commit, options.depth)


def _add_younger(repo: Repo, tip: Checksum, oldest: int, reachable: Reachable) -> None:
    current: Checksum | None = tip
    seen = set()
    while current is not None and current not in seen:
        seen.add(current)  # a forged history could be a circle
        commit = load_commit_if_present(repo, current)
        if commit is None or (current != tip and commit.timestamp < oldest):
            return
        reachable.add_commit(current, commit)
        current = commit.parent


def _sweep(repo: Repo, reachable: Reachable, options: PruneOptions, watch: Watch) -> PruneResult:
    total = deleted = freed = 0
    # Commits first: interrupted, what is left of a deleted commit is rubbish, not a broken commit.
    for is_commit in (True,) if options.commit_only else (True, False):
        for name in _objects(repo, commits=is_commit):
            total += 1
            watch.advance()
            if _is_needed(repo, name, reachable):
                continue
            freed += repo.store.object_size(name)
            deleted += 1
            if not options.no_prune:
                delete_object(repo, name)
    if options.commit_only and repo.parent is not None:
        own = (name for name in repo.parent.store.iter_objects())
        total += sum(name.type is ObjectType.COMMIT for name in own)
    return PruneResult(total, deleted, freed)


def _objects(repo: Repo, *, commits: bool) -> Iterator[ObjectName]:
    for name in repo.store.iter_objects():
        if (name.type is ObjectType.COMMIT) == commits:
            yield name


def _is_needed(repo: Repo, name: ObjectName, reachable: Reachable) -> bool:
    if name.type is not ObjectType.PAYLOAD_LINK:
        return name in reachable
    target = _payload_target(repo, name)
    return (
        target in reachable
        and repo.store.has_own(target)
        and repo.store.object_size(target) >= _payload_threshold(repo)
    )


def _payload_target(repo: Repo, name: ObjectName) -> ObjectName:
    """Return the file to which a payload link points; a name that no object has if nonsense."""
    link = repo.store.objects.read_link(repo.store.path_of(name))
    text = link.removeprefix("../").removesuffix(".file").replace("/", "", 1)
    checksum = parse_checksum(text) if is_checksum(text) else name.checksum
    return ObjectName(checksum, ObjectType.FILE)


def _payload_threshold(repo: Repo) -> int:
    text = repo.config.keyfile.get_raw("core", "payload-link-threshold") or ""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_NO_THRESHOLD))
    return int(text) if is_number else _NO_THRESHOLD


def delete_object(repo: Repo, name: ObjectName) -> None:
    """Delete one object; a commit's detached metadata and marks go with it.

    A tombstone takes the place of a commit where the configuration asks for that.
    """
    store = repo.store
    if name.type is ObjectType.COMMIT and repo.config.tombstone_commits():
        write_tombstone(repo, name.checksum)
    store.delete(name)
    if name.type is ObjectType.COMMIT:
        repo.clear_partial(name.checksum)
        store.objects.remove(loose_path(name.checksum, "commitmeta"), missing_ok=True)


def write_tombstone(repo: Repo, checksum: Checksum) -> None:
    """Note that a commit was deleted on purpose."""
    marker = Variant("ay", str(checksum).encode() + b"\0")
    repo.store.write_tombstone(checksum, encode_metadata((("commit", marker),)))


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
    remotes = set(iter_remote_names(repo.config.keyfile))
    with repo.tmp.open_dir(_SUMMARY_CACHE) as cache:
        for name in cache.list():
            if name.removesuffix(".sig") not in remotes:
                cache.remove(name, missing_ok=True)
