"""A directory tree under construction: names with checksums, nothing of the contents.

A subtree taken from the repository stays a mere pair of checksums until something in it is looked
at, and is not written again unless something in it changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import ConflictError, OstreeError, PathNotFoundError
from pyostree.formats.dirtree import Dirtree, encode_dirtree
from pyostree.formats.objects import Checksum, ObjectType, check_filename

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

_EMPTY = Checksum(hashlib.sha256(encode_dirtree(Dirtree())).digest())


class EmptyTreeError(OstreeError):
    """A directory of the tree has no metadata: nothing was put into it."""

    hint = "check the paths given to --tree and the skip list"


class RootChecksums(NamedTuple):
    """What identifies a tree: checksums of its root's dirtree and dirmeta."""

    tree: Checksum
    meta: Checksum


class MutableTree:
    """One directory."""

    # _lazy: the dirtree that was not loaded yet; _stored: the dirtree that says the same as this.
    __slots__ = ("_dirs", "_files", "_lazy", "_meta", "_parent", "_repo", "_stored")

    def __init__(self, parent: MutableTree | None = None) -> None:
        self._parent = parent
        self._meta: Checksum | None = None
        self._files: dict[str, Checksum] = {}
        self._dirs: dict[str, MutableTree] = {}
        self._lazy: Checksum | None = None
        self._stored: Checksum | None = None
        self._repo: Repo | None = None

    @classmethod
    def lazy(
        cls, repo: Repo, root: RootChecksums, parent: MutableTree | None = None
    ) -> MutableTree:
        """Return a tree that stands for one in the repository."""
        tree = cls(parent)
        tree._meta = root.meta
        tree._lazy = tree._stored = root.tree
        tree._repo = repo
        return tree

    @property
    def meta(self) -> Checksum | None:
        """Checksum of the directory's dirmeta; None until set."""
        return self._meta

    @meta.setter
    def meta(self, checksum: Checksum) -> None:
        if checksum != self._meta:
            self._meta = checksum
            if self._parent is not None:
                self._parent._note_change()

    def _note_change(self) -> None:
        """Note that this is no stored directory any more, and none of those above it either."""
        tree: MutableTree | None = self
        while tree is not None and tree._stored is not None:
            tree._stored = None
            tree = tree._parent

    @property
    def files(self) -> dict[str, Checksum]:
        """Content checksums by name."""
        self._load()
        return self._files

    @property
    def dirs(self) -> dict[str, MutableTree]:
        """Subdirectories by name."""
        self._load()
        return self._dirs

    def _load(self) -> None:
        lazy, self._lazy = self._lazy, None
        if lazy is None:
            return
        assert self._repo is not None
        content = self._repo.load_dirtree(lazy)
        self._files = dict(content.files)
        self._dirs = {
            name: MutableTree.lazy(self._repo, RootChecksums(tree, meta), self)
            for name, tree, meta in content.dirs
        }

    @property
    def is_empty(self) -> bool:
        """Whether nothing was put into it yet."""
        return self._lazy is None and not self._files and not self._dirs and self.meta is None

    def add_file(self, name: str, checksum: Checksum) -> None:
        """Set a file, in place of another of the name.

        Raises:
            ConflictError: a directory has the name.
            InvalidNameError: `name` may not stand in a tree.
        """
        check_filename(name)
        self._load()
        if name in self._dirs:
            raise ConflictError(f"Can't replace directory with file: {name}")
        self._note_change()
        self._files[name] = checksum

    def ensure_dir(self, name: str) -> MutableTree:
        """Return the subdirectory `name`, created if need be (errors as `add_file`)."""
        self._load()
        found = self._dirs.get(name)
        if found is not None:
            return found
        check_filename(name)
        if name in self._files:
            raise ConflictError(f"Can't replace file with directory: {name}")
        self._note_change()
        made = MutableTree(self)
        self._dirs[name] = made
        return made

    def take_over(self, repo: Repo, root: RootChecksums) -> bool:
        """Become the overlay of this tree with one of the repository, if that needs no reading.

        Returns:
            False when both have contents, which must be merged name by name; nothing was changed.
        """
        if self._files or self._dirs:
            return False
        if self._lazy is not None and root.tree in (self._lazy, _EMPTY):
            self.meta = root.meta
            return True
        if self._lazy not in (None, _EMPTY):
            return False
        self._note_change()
        self.meta = root.meta
        self._lazy = self._stored = root.tree
        self._repo = repo
        return True

    def subdirectory(self, path: str) -> MutableTree:
        """Return the directory at the absolute `path`.

        Raises:
            PathNotFoundError: names the first part of the path that is missing.
        """
        tree = self
        walked = ""
        for part in path.strip("/").split("/"):
            walked = f"{walked}/{part}"
            found = tree.dirs.get(part)
            if found is None:
                raise PathNotFoundError(f"No such file or directory: {walked}")
            tree = found
        return tree

    def write(self, put: Callable[[ObjectType, bytes], Checksum]) -> RootChecksums:
        """Store the dirtrees bottom up and return the root's checksums.

        Args:
            put: stores one metadata object.

        Raises:
            EmptyTreeError: a directory has no metadata.
        """
        order: list[MutableTree] = []
        stack = [self]
        while stack:
            tree = stack.pop()
            order.append(tree)
            if tree._stored is None:
                stack.extend(tree._dirs.values())
        written: dict[int, RootChecksums] = {}
        for tree in reversed(order):
            written[id(tree)] = tree._write_one(put, written)
        return written[id(self)]

    def _write_one(
        self, put: Callable[[ObjectType, bytes], Checksum], written: dict[int, RootChecksums]
    ) -> RootChecksums:
        if self.meta is None:
            raise EmptyTreeError("Can't commit an empty tree")
        if self._stored is not None:
            return RootChecksums(self._stored, self.meta)
        dirs = tuple((name, *written[id(tree)]) for name, tree in self._dirs.items())
        data = encode_dirtree(Dirtree(tuple(self._files.items()), dirs))
        return RootChecksums(put(ObjectType.DIRTREE, data), self.meta)
