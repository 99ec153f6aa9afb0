"""Sweep: going through all loose objects and deleting those that are not reachable."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

from pyostree.formats.commit import encode_metadata
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import (
    Checksum,
    ObjectName,
    ObjectType,
    loose_path,
)
from pyostree.progress import UNWATCHED, Phase, Watch
from pyostree.repo.modes import RepoMode
from pyostree.repo.processes import SharedWork, Sharing
from pyostree.repo.repo import Repo
from pyostree.repo.store.listing import LooseDirectory, iter_directories, iter_loose_commits
from pyostree.repo.store.payload_links import parse_payload_link
from pyostree.repo.traverse import Reachable

# Fewer are deleted sooner than a helper is forked.
_SHARED_FROM_FILES = 3000


class PruneResult(NamedTuple):
    """Counts of objects seen and of those (to be) deleted, with the bytes of the latter."""

    total: int
    deleted: int
    freed_bytes: int


def sweep(
    repo: Repo,
    reachable: Reachable,
    *,
    commit_only: bool = False,
    no_prune: bool = False,
    watch: Watch = UNWATCHED,
) -> PruneResult:
    """Delete (or with `no_prune` count) the objects that are not in `reachable`.

    Commits go first: interrupted, what is left of a deleted commit is rubbish, never a commit with
    holes.

    Args:
        commit_only: leave alone what is no commit.

    Raises:
        OSError: an object cannot be deleted.
    """
    return _Sweep(repo, reachable, no_prune=no_prune).run(watch, commit_only=commit_only)


class _Sweep:
    """State of one sweep; it holds the names of one directory at a time."""

    def __init__(self, repo: Repo, reachable: Reachable, *, no_prune: bool) -> None:
        self._repo = repo
        self._store = repo.store
        self._objects = repo.store.objects
        self._extension = repo.mode.content_extension
        self._reachable = reachable
        self._deletes = not no_prune
        self._commits = reachable.commits
        self._leaves_tombstones = repo.config.tombstone_commits()
        self._marks = _partial_marks(repo)
        self._splits_xattrs = repo.mode is RepoMode.BARE_SPLIT_XATTRS
        self._total = self._deleted = self._freed = 0

    def run(self, watch: Watch, *, commit_only: bool) -> PruneResult:
        if commit_only and self._repo.parent is not None:
            self._count_inherited(self._repo.parent)
        files = 0
        for directory in iter_directories(self._objects):
            watch.check()
            files += directory.count_others()
            self._sweep_commits(directory.only_commits(), set(directory.names))
        if not commit_only:
            watch.begin(Phase.DELETE, files)
            self._sweep_others(watch, files)
        return PruneResult(self._total, self._deleted, self._freed)

    def _sweep_others(self, watch: Watch, files: int) -> None:
        def add(directory: LooseDirectory, found: PruneResult) -> None:
            self._total += found.total
            self._deleted += found.deleted
            self._freed += found.freed_bytes
            watch.advance(directory.count_others())

        # What several files share of their xattrs goes with the last of them: one at a time.
        if files < _SHARED_FROM_FILES or self._splits_xattrs:
            for directory in iter_directories(self._objects):
                add(directory, self._sweep_directory(directory))
            return
        sharing = Sharing(self._sweep_directory, _pack, self._sweep_packed)
        with SharedWork(sharing, add) as shared:
            for directory in iter_directories(self._objects):
                shared.submit(directory)
            shared.finish()

    def _sweep_packed(self, first: str, _: Sequence[int]) -> PruneResult:
        with self._objects.open_dir(first) as directory:
            return self._sweep_directory(LooseDirectory(first, directory.list()))

    def _count_inherited(self, parent: Repo) -> None:
        # The reference counts the parent's commits, too, which are not ours to delete.
        own = set(iter_loose_commits(self._objects))
        self._total += sum(commit not in own for commit in parent.store.iter_commits())

    def _sweep_commits(self, directory: LooseDirectory, names: Set[str]) -> None:
        for file, digest, _ in directory.parse(self._extension):
            self._total += 1
            if digest in self._commits:
                continue
            name = ObjectName(Checksum(digest), ObjectType.COMMIT)
            self._freed += self._objects.stat(f"{directory.first}/{file}").st_size
            self._deleted += 1
            if self._deletes:
                self._delete_commit(name, has_detached=f"{file}meta" in names)

    def _delete_commit(self, name: ObjectName, *, has_detached: bool) -> None:
        """Do what `delete_object` does, without looking for what is known not to be there."""
        if self._leaves_tombstones:
            write_tombstone(self._repo, name.checksum)
        if has_detached:
            self._objects.remove(loose_path(name.checksum, "commitmeta"), missing_ok=True)
        self._store.delete(name)
        if f"{name.checksum}.commitpartial" in self._marks:
            self._repo.clear_partial(name.checksum)

    def _sweep_directory(self, directory: LooseDirectory) -> PruneResult:
        total = deleted = freed = 0
        needed: dict[ObjectType, Set[bytes]] = {
            ObjectType.FILE: self._reachable.files.bucket(int(directory.first, 16)),
            ObjectType.DIRTREE: self._reachable.dirtrees,
            ObjectType.DIRMETA: self._reachable.dirmetas,
        }
        # A million times: what is not needed to the very end is not made.
        for file, digest, kind in directory.parse(self._extension):
            if kind is ObjectType.COMMIT:
                continue
            total += 1
            wanted = needed.get(kind)
            if wanted is None:
                if self._is_link_needed(ObjectName(Checksum(digest), kind)):
                    continue
            elif digest in wanted:
                continue
            path = f"{directory.first}/{file}"
            try:
                freed += self._objects.stat(path).st_size
                if self._deletes and not self._splits_xattrs:
                    self._objects.remove(path)
            except OSError as err:
                err.add_note(f"Deleting object {ObjectName(Checksum(digest), kind)}")
                raise
            if self._deletes and self._splits_xattrs:
                self._store.delete(ObjectName(Checksum(digest), kind))
            deleted += 1
        return PruneResult(total, deleted, freed)

    def _is_link_needed(self, name: ObjectName) -> bool:
        """Tell whether a payload link leads to a file that is kept and large enough to share."""
        target = self._link_target(name)
        return (
            target in self._reachable
            and self._store.has_own(target)
            and self._store.object_size(target) >= self._store.payload_links.min_bytes()
        )

    def _link_target(self, name: ObjectName) -> ObjectName:
        """Return the file to which a payload link points; a name that no object has if nonsense."""
        checksum = parse_payload_link(self._objects.read_link(self._store.path_of(name)))
        return ObjectName(checksum or name.checksum, ObjectType.FILE)


def _pack(directory: LooseDirectory) -> tuple[str, Sequence[int]]:
    return directory.first, ()  # the exclusive lock keeps others from changing what it holds


def _partial_marks(repo: Repo) -> frozenset[str]:
    if not repo.dir.is_dir("state"):
        return frozenset()
    with repo.dir.open_dir("state") as directory:
        return frozenset(directory.list())


def delete_object(repo: Repo, name: ObjectName) -> None:
    """Delete one object; a commit's detached metadata and marks go with it.

    A tombstone takes the place of a commit where the configuration asks for that.
    """
    store = repo.store
    if name.type is ObjectType.COMMIT and repo.config.tombstone_commits():
        write_tombstone(repo, name.checksum)
    if name.type is ObjectType.COMMIT:
        # First: without their commit nobody would find them any more, to delete them.
        store.objects.remove(loose_path(name.checksum, "commitmeta"), missing_ok=True)
    store.delete(name)
    if name.type is ObjectType.COMMIT:
        repo.clear_partial(name.checksum)


def write_tombstone(repo: Repo, checksum: Checksum) -> None:
    """Note that a commit was deleted on purpose."""
    marker = Variant("ay", str(checksum).encode() + b"\0")
    repo.store.write_tombstone(checksum, encode_metadata((("commit", marker),)))
