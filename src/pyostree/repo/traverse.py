"""Which objects commits need: the reachable set, built with an explicit stack."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import TypeVar

from pyostree.errors import ObjectNotFoundError, OstreeError
from pyostree.formats.commit import Commit
from pyostree.formats.links import (
    CommitLinks,
    TreeLinks,
    decode_commit_links,
    decode_tree_links,
)
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.progress import UNWATCHED, Watch
from pyostree.repo.digest_set import DigestSet
from pyostree.repo.repo import Repo

T = TypeVar("T")

ALL_PARENTS = -1


class Reachable:
    """The objects that some commits need, and how far their histories were followed.

    Each dirtree is read once, files are not looked at. A history that is cut short for one ref is
    followed further when another wants more of it.

    Args:
        commits_only: leave out the trees.
        read_links: reads a dirtree; None from it skips what the directory holds.
        watch: hears of every dirtree that is read.
    """

    def __init__(
        self,
        repo: Repo,
        *,
        commits_only: bool = False,
        read_links: Callable[[Checksum], TreeLinks | None] | None = None,
        watch: Watch = UNWATCHED,
    ) -> None:
        self._repo = repo
        self._watch = watch
        self._commits_only = commits_only
        self._read_links = read_links or (lambda checksum: load_tree_links(repo, checksum))
        self._depths: dict[Checksum, float] = {}
        self.dirtrees: set[Checksum] = set()
        self.dirmetas: set[Checksum] = set()
        self.files = DigestSet()

    @property
    def commits(self) -> set[Checksum]:
        """The commits that were added."""
        return set(self._depths)

    def __contains__(self, name: ObjectName) -> bool:
        match name.type:
            case ObjectType.FILE:
                return name.checksum in self.files
            case ObjectType.DIRTREE:
                return name.checksum in self.dirtrees
            case ObjectType.DIRMETA:
                return name.checksum in self.dirmetas
            case ObjectType.COMMIT:
                return name.checksum in self._depths
            case _:
                return False

    def __len__(self) -> int:
        return len(self._depths) + len(self.dirtrees) + len(self.dirmetas) + len(self.files)

    def add_history(self, commit: Checksum, depth: int = ALL_PARENTS) -> None:
        """Add a commit, `depth` of its parents (-1: all), and their trees.

        A commit that is not in the repository ends the history silently.

        Raises:
            ObjectNotFoundError: a dirtree of a commit that is not partial is missing.
            FormatError: a commit or dirtree is damaged.
        """
        self.add_histories([(commit, depth)])

    def add_histories(self, starts: Iterable[tuple[Checksum, int]]) -> None:
        """Add commits, each with so many of its parents (see `add_history`).

        Every commit is read once, however many histories it is part of: the one that wants most
        of it comes first.
        """
        wanted = [(-math.inf if depth < 0 else -float(depth), commit) for commit, depth in starts]
        heapify(wanted)
        while wanted:
            negative, current = heappop(wanted)
            if -negative <= self._depths.get(current, -1):
                continue
            loaded = load_commit_links(self._repo, current)
            if loaded is None:
                continue
            if current not in self._depths:
                self.add_tree(current, loaded)
            self._depths[current] = -negative
            if loaded.parent is not None and negative <= -1:
                heappush(wanted, (negative + 1, loaded.parent))

    def add_commit(self, checksum: Checksum, commit: Commit | CommitLinks) -> None:
        """Add a loaded commit and its tree, without its parents (errors as `add_history`)."""
        if checksum not in self._depths:
            self.add_tree(checksum, commit)
            self._depths[checksum] = 0

    def add_tree(self, checksum: Checksum, commit: Commit | CommitLinks) -> None:
        """Add the tree of a loaded commit, not the commit itself (errors as `add_history`)."""
        if self._commits_only:
            return
        self.dirmetas.add(commit.root_meta)
        seen = self.dirtrees
        if commit.root_tree in seen:
            return
        seen.add(commit.root_tree)
        stack = [commit.root_tree]
        while stack:
            try:
                links = self._read_links(stack.pop())
            except ObjectNotFoundError:
                if self._repo.is_partial(checksum):
                    continue
                raise
            self._watch.advance()
            if links is None:
                continue
            self.files.update(links.files)
            if links.dirtrees:
                self.dirmetas.update(map(Checksum, set(links.dirmetas) - self.dirmetas))
                new = [Checksum(tree) for tree in set(links.dirtrees) - seen]
                seen.update(new)
                stack += new


def load_tree_links(repo: Repo, checksum: Checksum) -> TreeLinks:
    """Return what a dirtree names.

    Raises:
        ObjectNotFoundError: it is not in the repository.
        FormatError: it is damaged.
    """
    return _load(repo, ObjectName(checksum, ObjectType.DIRTREE), decode_tree_links)


def load_commit_links(repo: Repo, checksum: Checksum) -> CommitLinks | None:
    """Return what a commit points to, or None when the repository does not have it."""
    try:
        return _load(repo, ObjectName(checksum, ObjectType.COMMIT), decode_commit_links)
    except ObjectNotFoundError:
        return None


def _load(repo: Repo, name: ObjectName, decode: Callable[[bytes], T]) -> T:
    data = repo.store.read_metadata(name)
    try:
        return decode(data)
    except OstreeError as err:
        err.add_note(str(name))
        raise


def load_commit_if_present(repo: Repo, checksum: Checksum) -> Commit | None:
    """Return a commit, or None when the repository does not have it."""
    try:
        return repo.load_commit(checksum)
    except ObjectNotFoundError:
        return None


def iter_history(repo: Repo, commit: Checksum) -> Iterator[tuple[Checksum, Commit | None]]:
    """Yield a commit and its ancestors, newest first.

    A parent that is not in the repository is yielded with None, as the last. Cycles, which only a
    forged store can have, end the history.

    Raises:
        ObjectNotFoundError: the first commit is missing.
    """
    loaded: Commit | None = repo.load_commit(commit)
    current = commit
    seen = set()
    while True:
        yield current, loaded
        if loaded is None or loaded.parent is None or loaded.parent in seen:
            return
        seen.add(current)
        current = loaded.parent
        loaded = load_commit_if_present(repo, current)
