"""The walk from commits to files: decides what a pull needs and in which order.

The walker reads only what is stored already. What is missing it asks its `Supplier` for, and goes
on with it once `Walker.arrived` says that it is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pyostree.errors import doing
from pyostree.formats.commit import Commit
from pyostree.formats.links import decode_tree_links
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.pull.dirtrees import load_checked_dirtree
from pyostree.pull.options import ALL_PARENTS
from pyostree.pull.presence import ContentPresence
from pyostree.pull.subpaths import is_wanted
from pyostree.pull.supplier import CommitCheck, Supplier
from pyostree.repo.repo import Repo
from pyostree.repo.traverse import Reachable

_MAX_PATH = 4096


class Step(NamedTuple):
    """One object to look at.

    Attributes:
        path: of a dirtree within its commit, with slashes around it.
        depth: of a commit: how many parents are wanted, too.
        is_parent: a commit that only history led to; it may be missing at the source.
    """

    name: ObjectName
    path: str = "/"
    depth: int = 0
    is_parent: bool = False


class Walker:
    """Walks commits, their parents and trees.

    Attributes:
        commits: all commits that were asked for or reached as parents.
        scanned: number of metadata objects looked at.
        content_seen: content objects that the trees so far name.
    """

    def __init__(
        self,
        repo: Repo,
        supplier: Supplier,
        check: CommitCheck,
        *,
        subpaths: Sequence[str] = (),
        commit_only: bool = False,
        rescan_all: bool = False,
    ) -> None:
        self._repo = repo
        self._store = repo.store
        self._supplier = supplier
        self._check = check
        self._subpaths = tuple(subpaths)
        self._commit_only = commit_only
        self._rescan_all = rescan_all
        # What this pull stores itself comes after the walk has asked for it.
        self._missing: Callable[[list[bytes]], list[bytes]] = (
            self._missing_anywhere if rescan_all else ContentPresence(self._store).missing
        )
        self._fresh: dict[Checksum, bytes] = {}
        self._queue: deque[Step] = deque()
        self._waiting: dict[ObjectName, list[Step]] = {}
        self._seen: set[tuple[Checksum, str] | Checksum] = set()
        self._depths: dict[Checksum, int] = {}
        self._has_detached: set[Checksum] = set()
        self._held: set[Checksum] = set()
        self.commits: dict[Checksum, None] = {}
        self.content_seen: set[bytes] = set()
        self.scanned = 0

    # -- input ---------------------------------------------------------------------------

    def add_commit(self, checksum: Checksum, depth: int, *, is_parent: bool = False) -> None:
        """Ask for a commit and `depth` of its parents."""
        self.commits[checksum] = None
        name = ObjectName(checksum, ObjectType.COMMIT)
        self._queue.append(Step(name, depth=depth, is_parent=is_parent))

    def add_stored_commit(self, checksum: Checksum) -> None:
        """Look at a commit that is here, going by the detached metadata that it has here."""
        self._has_detached.add(checksum)
        self.add_commit(checksum, 0)

    def add_content(self, checksum: Checksum) -> None:
        """Ask for a file that no tree so far names."""
        self._visit_files([checksum])

    def hold_tree(self, commit: Checksum) -> None:
        """Do not look into the tree of a commit before `release_tree`."""
        self._held.add(commit)
        self._missing = self._missing_anywhere  # a delta stages what no walk has asked for

    def release_tree(self, commit: Checksum) -> None:
        """Look into the tree of a commit from now on."""
        self._held.discard(commit)
        if commit in self._depths:
            self._scan_tree(commit, self._load_commit(commit))

    def skip_known(self, known: Reachable) -> None:
        """Do not look at objects that are here for certain."""
        self._seen.update(known.dirtrees)
        self._seen.update((checksum, "") for checksum in known.dirmetas)
        self.content_seen.update(known.files)

    def arrived(self, name: ObjectName, data: bytes | None = None) -> None:
        """Note that an object is stored now; for a commit, its detached metadata, too.

        Args:
            data: its bytes, which need not be read again then.
        """
        steps = self._waiting.pop(name, ())
        match name.type:
            case ObjectType.COMMIT:
                self._has_detached.add(name.checksum)
            case ObjectType.DIRMETA:
                self.scanned += len(steps)
                return  # it leads nowhere
            case ObjectType.DIRTREE if data is not None and steps:
                self._fresh[name.checksum] = data
        self._queue.extend(steps)

    def may_be_missing(self, name: ObjectName) -> bool:
        """Tell whether the walk can do without an object that its source does not have."""
        steps = self._waiting.get(name, ())
        return all(step.is_parent for step in steps)

    def give_up(self, name: ObjectName) -> None:
        """Go on without an object."""
        self._waiting.pop(name, None)

    # -- walking -------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether `advance` would do anything."""
        return bool(self._queue)

    @property
    def is_finding(self) -> bool:
        """Whether objects may still turn up that nobody knows of yet."""
        return bool(self._queue or self._waiting)

    def advance(self) -> None:
        """Look at the next object."""
        step = self._queue.popleft()
        match step.name.type:
            case ObjectType.COMMIT:
                self._visit_commit(step)
            case ObjectType.DIRTREE:
                self._visit_dirtree(step)
            case _:
                self.scanned += 1
                if not self._store.has(step.name):
                    self._wait_for(step)

    def _wait_for(self, step: Step) -> None:
        if not self._is_first_to_wait(step):
            return
        if step.name.type is ObjectType.COMMIT:
            self._supplier.get_commit(step.name.checksum)
        else:
            self._supplier.get_metadata(step.name)

    def _is_first_to_wait(self, step: Step) -> bool:
        steps = self._waiting.setdefault(step.name, [])
        steps.append(step)
        return len(steps) == 1

    def _visit_commit(self, step: Step) -> None:
        checksum = step.name.checksum
        known_depth = self._depths.get(checksum)
        if known_depth is not None:
            if _is_deeper(step.depth, known_depth):
                self._depths[checksum] = step.depth
                self._add_parent(self._load_commit(checksum), step.depth)
            return
        if not self._store.has(step.name):
            self._wait_for(step)
        elif checksum not in self._has_detached:
            if self._is_first_to_wait(step):
                self._supplier.get_detached(checksum)
        else:
            self._depths[checksum] = step.depth
            self._scan_commit(checksum, step.depth)

    def _load_commit(self, checksum: Checksum) -> Commit:
        with doing(f"Validating commit {checksum}"):
            return self._repo.load_commit(checksum)

    def _scan_commit(self, checksum: Checksum, depth: int) -> None:
        commit = self._load_commit(checksum)
        self.scanned += 1
        self._check(checksum, commit)
        self._add_parent(commit, depth)
        if checksum not in self._held:
            self._scan_tree(checksum, commit)

    def _scan_tree(self, checksum: Checksum, commit: Commit) -> None:
        if self._commit_only:
            return
        if self._rescan_all or self._repo.is_partial(checksum):
            self._add_directory(commit.root_tree, commit.root_meta, "/")

    def _add_parent(self, commit: Commit, depth: int) -> None:
        if commit.parent is not None and depth != 0:
            left = depth if depth == ALL_PARENTS else depth - 1
            self.add_commit(commit.parent, left, is_parent=True)

    def _add_directory(self, tree: Checksum, meta: Checksum, path: str) -> None:
        # Outside of what a pull is restricted to, the path decides what of a tree is wanted.
        # Inside, a tree is walked once: nested copies could make exponentially many paths.
        key = tree if self._is_inside(path) else (tree, path)
        if key not in self._seen:
            self._seen.add(key)
            self._queue.append(Step(ObjectName(tree, ObjectType.DIRTREE), path))
        if (meta, "") not in self._seen:
            self._seen.add((meta, ""))
            self._queue.append(Step(ObjectName(meta, ObjectType.DIRMETA), path))

    def _is_inside(self, path: str) -> bool:
        return not self._subpaths or any(path.startswith(f"{own}/") for own in self._subpaths)

    def _visit_dirtree(self, step: Step) -> None:
        data = self._fresh.pop(step.name.checksum, None)
        if data is None and not self._store.has(step.name):
            self._wait_for(step)
            return
        self.scanned += 1
        if data is not None and not self._subpaths:
            self._visit_links(data)
            return
        path = step.path
        tree = load_checked_dirtree(self._repo, step.name.checksum, path)
        self._visit_files(
            checksum
            for name, checksum in tree.files
            if is_wanted(path + name, self._subpaths, is_dir=False)
        )
        for name, subtree, meta in tree.dirs:
            if is_wanted(path + name, self._subpaths, is_dir=True):
                self._add_directory(subtree, meta, self._below(path, name))

    def _below(self, path: str, name: str) -> str:
        # Where everything is wanted, a path is for messages only: a chain of directories without
        # end must not make it grow without end.
        if len(path) > _MAX_PATH and self._is_inside(path):
            return path
        return f"{path}{name}/"

    def _visit_links(self, data: bytes) -> None:
        """Visit all that a dirtree names, whatever the names are: they were checked already."""
        links = decode_tree_links(data)
        self._visit_files(links.files)
        for tree, meta in zip(links.dirtrees, links.dirmetas, strict=True):
            self._add_directory(Checksum(tree), Checksum(meta), "/")

    def _missing_anywhere(self, digests: list[bytes]) -> list[bytes]:
        has = self._store.has
        return [
            digest for digest in digests if not has(ObjectName(Checksum(digest), ObjectType.FILE))
        ]

    def _visit_files(self, digests: Iterable[bytes]) -> None:
        seen = self.content_seen
        # Ten thousands of them, most of which are here: as few steps for each as can be.
        new = [digest for digest in dict.fromkeys(digests) if digest not in seen]
        seen.update(new)
        for digest in self._missing(new):
            self._supplier.get_content(Checksum(digest))


def _is_deeper(depth: int, than: int) -> bool:
    if than == ALL_PARENTS:
        return False
    return depth == ALL_PARENTS or depth > than
