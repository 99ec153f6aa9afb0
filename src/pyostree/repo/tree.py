"""A commit's tree: looking up paths in it, listing directories, walking it.

Paths are absolute from the root of the commit (a leading slash may be missing). ``.`` and ``..``
mean nothing in them, and symbolic links are not followed. Everything is listed files first, then
directories, each sorted by name.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pyostree.errors import (
    NotADirectoryInTreeError,
    OstreeError,
    PathNotFoundError,
)
from pyostree.formats.dirtree import Dirtree
from pyostree.formats.objects import Checksum
from pyostree.repo.ancestors import Ancestors
from pyostree.repo.repo import Repo

_MAX_LINKS = 40  # as many as the kernel follows


class TreeFile(NamedTuple):
    """A file or symlink in a tree; `path` starts with a slash."""

    path: str
    checksum: Checksum


class TreeDir(NamedTuple):
    """A directory in a tree; `path` starts with a slash, the root's is ``/``."""

    path: str
    tree: Checksum
    meta: Checksum


TreeEntry = TreeFile | TreeDir


class CommitTree:
    """The tree of one commit; reads what it needs when it is needed."""

    def __init__(self, repo: Repo, commit: Checksum) -> None:
        loaded = repo.load_commit(commit)
        self._repo = repo
        self.root = TreeDir("/", loaded.root_tree, loaded.root_meta)

    def children(self, directory: TreeDir) -> Iterator[TreeEntry]:
        """Yield what `directory` holds."""
        return entries(self._repo.load_dirtree(directory.tree), directory.path)

    def walk(
        self, top: TreeEntry, enter: Callable[[TreeDir], bool] | None = None
    ) -> Iterator[TreeEntry]:
        """Yield `top` and all below it, a directory before what it holds.

        Args:
            enter: called with each directory after it was yielded; False skips what it holds.

        Raises:
            CorruptObjectError: a directory holds itself, which only a forged store can say.
        """
        if isinstance(top, TreeFile):
            yield top
            return
        visit = _Visit(top)
        while (directory := visit.next()) is not None:
            yield directory
            if enter is None or enter(directory):
                tree = self._repo.load_dirtree(directory.tree)
                visit.enter(directory, tree)
                lead = _lead(directory.path)
                for name, checksum in tree.files:
                    yield TreeFile(lead + name, checksum)

    def directories(self, top: TreeDir) -> Iterator[tuple[TreeDir, Dirtree]]:
        """Yield `top` and all directories below it with what they hold (errors as `walk`)."""
        visit = _Visit(top)
        while (directory := visit.next()) is not None:
            tree = self._repo.load_dirtree(directory.tree)
            visit.enter(directory, tree)
            yield directory, tree

    def look_up(self, path: str) -> TreeEntry:
        """Return what is at `path`.

        Raises:
            PathNotFoundError: nothing; the message names the first part that is missing.
            NotADirectoryInTreeError: a file or symlink stands where a directory should.
        """
        entry: TreeEntry = self.root
        parts = [] if path == "/" else path.removeprefix("/").split("/")
        for part in parts:
            if isinstance(entry, TreeFile):
                raise NotADirectoryInTreeError("Not a directory")
            found = _find(self._repo.load_dirtree(entry.tree), entry.path, part)
            if found is None:
                raise PathNotFoundError(f"No such file or directory: {_join(entry.path, part)}")
            entry = found
        return entry

    def look_up_content(self, path: str) -> TreeFile:
        """Return the regular file at `path`, following it if it is a symbolic link.

        A link's target is joined to its directory as text, so that ``..`` leads nowhere; links in
        the middle of a path are not followed.

        Raises:
            PathNotFoundError: nothing is there.
            NotADirectoryInTreeError: see `look_up`.
            OSError: ELOOP for too many links.
            OstreeError: a directory is there.
        """
        for _ in range(_MAX_LINKS):
            entry = self.look_up(path)
            if isinstance(entry, TreeDir):
                raise OstreeError("Can't open directory")
            header, _ = self._repo.store.read_header(entry.checksum)
            if not header.is_symlink:
                return entry
            path = os.path.join(entry.path.rpartition("/")[0] + "/", header.target)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


class _Visit:
    """Directories still to be visited, depth first; those above the current one are known."""

    __slots__ = ("_ancestors", "_depth", "_stack")

    def __init__(self, top: TreeDir) -> None:
        self._stack = [(0, top)]
        self._ancestors = Ancestors()
        self._depth = 0

    def next(self) -> TreeDir | None:
        if not self._stack:
            return None
        self._depth, directory = self._stack.pop()
        return directory

    def enter(self, directory: TreeDir, tree: Dirtree) -> None:
        self._ancestors.enter(self._depth, directory.tree)
        lead, depth = _lead(directory.path), self._depth + 1
        for name, content, meta in reversed(tree.dirs):
            self._stack.append((depth, TreeDir(lead + name, content, meta)))


def entries(tree: Dirtree, path: str) -> Iterator[TreeEntry]:
    """Yield the entries of a dirtree that lies at `path`."""
    lead = _lead(path)
    for name, checksum in tree.files:
        yield TreeFile(lead + name, checksum)
    for name, content, meta in tree.dirs:
        yield TreeDir(lead + name, content, meta)


def _lead(path: str) -> str:
    return path if path == "/" else path + "/"


def _find(tree: Dirtree, path: str, wanted: str) -> TreeEntry | None:
    for name, checksum in tree.files:
        if name == wanted:
            return TreeFile(_join(path, name), checksum)
    for name, content, meta in tree.dirs:
        if name == wanted:
            return TreeDir(_join(path, name), content, meta)
    return None


def _join(path: str, name: str) -> str:
    return path + name if path.endswith("/") else f"{path}/{name}"
