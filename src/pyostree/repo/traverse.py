"""Which objects commits need: the reachable set, built with an explicit stack."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from pyostree.errors import ObjectNotFoundError
from pyostree.formats.commit import Commit
from pyostree.formats.dirtree import Dirtree
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.progress import UNWATCHED, Watch
from pyostree.repo.repo import Repo

ALL_PARENTS = -1


class Reachable:
    """The objects that some commits need, and how far their histories were followed.

    Each dirtree is read once, files are not looked at. A history that is cut short for one ref is
    followed further when another wants more of it.

    Args:
        commits_only: leave out the trees.
        read_dirtree: reads a dirtree; None from it skips what the directory holds.
        watch: hears of every dirtree that is read.
    """

    def __init__(
        self,
        repo: Repo,
        *,
        commits_only: bool = False,
        read_dirtree: Callable[[Checksum], Dirtree | None] | None = None,
        watch: Watch = UNWATCHED,
    ) -> None:
        self._repo = repo
        self._watch = watch
        self._commits_only = commits_only
        self._read_dirtree = read_dirtree or repo.load_dirtree
        self._depths: dict[Checksum, float] = {}
        self.dirtrees: set[Checksum] = set()
        self.dirmetas: set[Checksum] = set()
        self.files: set[Checksum] = set()

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
        left = math.inf if depth < 0 else float(depth)
        current: Checksum | None = commit
        while current is not None and left >= 0 and left > self._depths.get(current, -1):
            loaded = load_commit_if_present(self._repo, current)
            if loaded is None:
                return
            if current not in self._depths:
                self.add_tree(current, loaded)
            self._depths[current] = left
            current = loaded.parent
            left -= 1

    def add_commit(self, checksum: Checksum, commit: Commit) -> None:
        """Add a loaded commit and its tree, without its parents (errors as `add_history`)."""
        if checksum not in self._depths:
            self.add_tree(checksum, commit)
            self._depths[checksum] = 0

    def add_tree(self, checksum: Checksum, commit: Commit) -> None:
        """Add the tree of a loaded commit, not the commit itself (errors as `add_history`)."""
        if self._commits_only:
            return
        self.dirmetas.add(commit.root_meta)
        if commit.root_tree in self.dirtrees:
            return
        is_partial = self._repo.is_partial(checksum)
        self.dirtrees.add(commit.root_tree)
        stack = [commit.root_tree]
        while stack:
            try:
                tree = self._read_dirtree(stack.pop())
            except ObjectNotFoundError:
                if is_partial:
                    continue
                raise
            self._watch.advance()
            if tree is None:
                continue
            self.files.update([entry[1] for entry in tree.files])
            for _, content, meta in tree.dirs:
                self.dirmetas.add(meta)
                if content not in self.dirtrees:
                    self.dirtrees.add(content)
                    stack.append(content)


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
