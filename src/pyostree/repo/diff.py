"""Differences between two trees, each the tree of a commit or a local directory."""

from __future__ import annotations

import enum
import errno
import os
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.fs.dir import Dir
from pyostree.progress import UNWATCHED, Phase, Watch
from pyostree.repo.checksum_file import checksum_entry
from pyostree.repo.modes import RepoMode
from pyostree.repo.parallel import batches
from pyostree.repo.repo import Repo
from pyostree.repo.traverse import Reachable
from pyostree.repo.tree import CommitTree, TreeDir, TreeEntry

if TYPE_CHECKING:
    from os import DirEntry

_SORTED_AT_ONCE = 1000


class DiffOptions(NamedTuple):
    """How local directories are looked at.

    Attributes:
        with_xattrs: whether xattrs count.
        owner_uid: stands in for the owner of everything on the second side, if local.
        owner_gid: the same for the group.
    """

    with_xattrs: bool = True
    owner_uid: int | None = None
    owner_gid: int | None = None


class Diff(NamedTuple):
    """Paths that differ: absolute in a commit, relative in a local directory.

    Attributes:
        modified: as named on the first side.
        removed: on the first side; nothing below a removed directory is listed.
        added: on the second side, with everything below.
    """

    modified: list[str]
    removed: list[str]
    added: list[str]


class DiffStats(NamedTuple):
    """Objects of two commits, and what they share."""

    first: int
    second: int
    common: int
    common_bytes: int


class _Kind(enum.Enum):
    """Files and symlinks are one kind: they never have equal checksums."""

    DIRECTORY = enum.auto()
    LEAF = enum.auto()
    SPECIAL = enum.auto()


class _Node(NamedTuple):
    """One entry; a commit's entries have their checksum, its directories their dirtree."""

    name: str
    path: str
    kind: _Kind
    checksum: Checksum | None = None
    tree: Checksum | None = None


class _Side(Protocol):
    """One of the two trees."""

    def root(self) -> _Node: ...
    def children(self, node: _Node) -> list[_Node]: ...
    def checksum(self, node: _Node) -> Checksum: ...


def diff_trees(
    repo: Repo, first: str, second: str, options: DiffOptions, watch: Watch = UNWATCHED
) -> Diff:
    """Return how the tree `second` differs from `first`.

    Args:
        first: a revision, or a local directory if it starts with ``/`` or ``./``.
        second: the same.
        watch: hears of the entries that are compared.

    Raises:
        NotFoundError: no such revision.
        OSError: a local directory cannot be read.
    """
    if not _keeps_xattrs(repo) and not (is_local(first) and is_local(second)):
        options = options._replace(with_xattrs=False)
    first_options = options._replace(owner_uid=None, owner_gid=None)
    watch.begin(Phase.COMPARE)
    sides = _side(repo, first, first_options), _side(repo, second, options)
    found = _Comparison(*sides, Diff([], [], []), watch).run()
    watch.finish()
    return found


def is_local(text: str) -> bool:
    """Tell whether an argument of ``diff`` means a local directory."""
    return text.startswith(("/", "./"))


def _keeps_xattrs(repo: Repo) -> bool:
    return repo.mode is not RepoMode.BARE_USER_ONLY and not repo.config.disable_xattrs


def _side(repo: Repo, text: str, options: DiffOptions) -> _Side:
    if is_local(text):
        return _LocalSide(text, options)
    return _CommitSide(repo, repo.resolve(text))


class _Comparison(NamedTuple):
    """Compares two trees."""

    first: _Side
    second: _Side
    found: Diff
    watch: Watch

    def run(self) -> Diff:
        # Depth first without recursion: each generator stands for a directory being compared.
        stack = [self._directory(self.first.root(), self.second.root())]
        while stack:
            pair = next(stack[-1], None)
            if pair is None:
                stack.pop()
            elif pair[0].tree is None or pair[0].tree != pair[1].tree:
                stack.append(self._directory(*pair))
        return self.found

    def _directory(self, one: _Node, two: _Node) -> Iterator[tuple[_Node, _Node]]:
        """Compare what two directories hold; yield the directories that are in both."""
        found, watch = self.found, self.watch
        theirs = {node.name: node for node in self.second.children(two)}
        for node in self.first.children(one):
            watch.advance()
            other = theirs.pop(node.name, None)
            if other is None:
                found.removed.append(node.path)
            elif node.kind is not other.kind:
                found.modified.append(node.path)
            else:
                if self.first.checksum(node) != self.second.checksum(other):
                    found.modified.append(node.path)
                if node.kind is _Kind.DIRECTORY:
                    yield node, other
        for node in theirs.values():
            for path in _all_paths(self.second, node):
                watch.advance()
                found.added.append(path)


def _all_paths(side: _Side, top: _Node) -> Iterator[str]:
    stack = [top]
    while stack:
        node = stack.pop()
        yield node.path
        if node.kind is _Kind.DIRECTORY:
            stack.extend(reversed(side.children(node)))


class _CommitSide:
    """The tree of a commit."""

    def __init__(self, repo: Repo, commit: Checksum) -> None:
        self._tree = CommitTree(repo, commit)

    def root(self) -> _Node:
        top = self._tree.root
        return _Node("", top.path, _Kind.DIRECTORY, top.meta, top.tree)

    def children(self, node: _Node) -> list[_Node]:
        assert node.tree is not None
        assert node.checksum is not None
        below = self._tree.children(TreeDir(node.path, node.tree, node.checksum))
        return [_commit_node(entry) for entry in below]

    def checksum(self, node: _Node) -> Checksum:
        assert node.checksum is not None
        return node.checksum


def _commit_node(entry: TreeEntry) -> _Node:
    name = entry.path.rpartition("/")[2]
    if isinstance(entry, TreeDir):
        return _Node(name, entry.path, _Kind.DIRECTORY, entry.meta, entry.tree)
    return _Node(name, entry.path, _Kind.LEAF, entry.checksum)


class _LocalSide:
    """A directory in the file system."""

    def __init__(self, path: str, options: DiffOptions) -> None:
        try:
            self._top = Dir.at(path)
        except OSError as err:
            err.__notes__ = [_failed_text(path, err)]
            raise
        self._options = options
        # Most files follow one of the same directory.
        self._path = ""
        self._dir = self._top

    def root(self) -> _Node:
        return _Node("", "", _Kind.DIRECTORY)

    def children(self, node: _Node) -> list[_Node]:
        lead = f"{node.path}/" if node.path else ""
        # The reference reads directories through GLib, which sorts them in pieces by inode.
        pieces = batches(self._open(node.path).scan(), _SORTED_AT_ONCE)
        entries = chain.from_iterable(sorted(piece, key=_inode_of) for piece in pieces)
        return [_Node(entry.name, lead + entry.name, _kind_of(entry)) for entry in entries]

    def checksum(self, node: _Node) -> Checksum:
        parent, _, name = node.path.rpartition("/")
        return checksum_entry(
            self._open(parent),
            name,
            with_xattrs=self._options.with_xattrs,
            uid=self._options.owner_uid,
            gid=self._options.owner_gid,
        )

    def _open(self, path: str) -> Dir:
        if path != self._path:
            self._dir = self._top.walk(path)
            self._path = path
        return self._dir


def _failed_text(path: str, err: OSError) -> str:
    full = os.path.abspath(path)
    if err.errno == errno.ENOTDIR:
        return f"Error opening directory '{full}'"
    return f"Error when getting information for file “{full}”"


def _inode_of(entry: DirEntry[str]) -> int:
    return entry.inode()


def _kind_of(entry: DirEntry[str]) -> _Kind:
    if entry.is_dir(follow_symlinks=False):
        return _Kind.DIRECTORY
    is_leaf = entry.is_symlink() or entry.is_file(follow_symlinks=False)
    return _Kind.LEAF if is_leaf else _Kind.SPECIAL


def diff_stats(repo: Repo, first: str, second: str) -> DiffStats:
    """Return what two commits share (errors as `Reachable.add_history`)."""
    one, other = Reachable(repo), Reachable(repo)
    one.add_history(repo.resolve(first), 0)
    other.add_history(repo.resolve(second), 0)
    common = list(_common(one, other))
    size = sum(repo.store.object_size(name) for name in common)
    return DiffStats(len(one), len(other), len(common), size)


def _common(one: Reachable, other: Reachable) -> Iterator[ObjectName]:
    for kind, ours, theirs in (
        (ObjectType.COMMIT, one.commits, other.commits),
        (ObjectType.DIRTREE, one.dirtrees, other.dirtrees),
        (ObjectType.DIRMETA, one.dirmetas, other.dirmetas),
        (ObjectType.FILE, one.files, other.files),
    ):
        for checksum in ours & theirs:
            yield ObjectName(checksum, kind)
