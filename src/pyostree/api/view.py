"""`CommitView`: the tree of one commit as programs look at it, with owners, modes and contents."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from pyostree.errors import OstreeError, doing
from pyostree.formats.objects import Checksum
from pyostree.formats.xattrs import Xattrs
from pyostree.repo.tree import CommitTree, TreeDir, TreeEntry, TreeFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from pyostree.formats.commit import Commit
    from pyostree.repo.repo import Repo
    from pyostree.repo.store.content import OpenContent

_BUFFER_BYTES = 1 << 20


class DirectoryEntry(NamedTuple):
    """A directory of a commit.

    Attributes:
        path: from the root of the commit; the root's is ``/``.
        mode: with the file-type bits.
        tree: checksum of its dirtree: equal for directories that hold the same.
        meta: checksum of its dirmeta: owner, mode and xattrs.
    """

    path: str
    uid: int
    gid: int
    mode: int
    xattrs: Xattrs
    tree: Checksum
    meta: Checksum


class FileEntry(NamedTuple):
    """A regular file of a commit.

    Attributes:
        path: from the root of the commit.
        mode: with the file-type bits.
        size: of the content in bytes.
        checksum: of the content object, which is the content with owner, mode and xattrs.
    """

    path: str
    uid: int
    gid: int
    mode: int
    xattrs: Xattrs
    size: int
    checksum: Checksum


class SymlinkEntry(NamedTuple):
    """A symbolic link of a commit.

    Attributes:
        path: from the root of the commit.
        mode: with the file-type bits.
        checksum: of the content object.
    """

    path: str
    uid: int
    gid: int
    mode: int
    xattrs: Xattrs
    target: str
    checksum: Checksum


Entry = DirectoryEntry | FileEntry | SymlinkEntry


class CommitView:
    """The tree of one commit; nothing of it is read before it is asked for.

    It reads through its repository, and is of no use once that is closed.

    Paths are absolute from the root of the commit; a leading slash may be missing, one at the end
    is ignored. ``.`` and ``..`` mean nothing in them.

    Attributes:
        checksum: of the commit.
        commit: its subject, metadata, time and so on.
    """

    __slots__ = ("_repo", "_tree", "checksum", "commit")

    def __init__(self, repo: Repo, checksum: Checksum) -> None:
        self._repo = repo
        self._tree = CommitTree(repo, checksum)
        self.checksum = checksum
        self.commit: Commit = repo.load_commit(checksum)

    def entry(self, path: str) -> Entry:
        """Return what is at `path`; symbolic links are not followed.

        Raises:
            PathNotFoundError: nothing is there.
            NotADirectoryInTreeError: the path leads through a file or symbolic link.
        """
        return self._describe(self._look_up(path))

    def exists(self, path: str) -> bool:
        """Tell whether anything is at `path`; symbolic links are not followed."""
        from pyostree.errors import NotADirectoryInTreeError, PathNotFoundError

        try:
            self._look_up(path)
        except (NotADirectoryInTreeError, PathNotFoundError):
            return False
        return True

    def iterdir(self, path: str = "/") -> Iterator[Entry]:
        """Yield what a directory holds: files and symbolic links, then directories, by name.

        Raises:
            OstreeError: there is no directory at `path`; see `entry`.
        """
        directory = self._look_up(path)
        if isinstance(directory, TreeFile):
            raise OstreeError(f"Not a directory: {directory.path}")
        return map(self._describe, self._tree.children(directory))

    def walk(self, path: str = "/") -> Iterator[Entry]:
        """Yield what is at `path` and everything below, a directory before what it holds.

        Trees of any depth and size are walked in little memory.
        """
        return map(self._describe, self._tree.walk(self._look_up(path)))

    def open(self, path: str) -> BinaryIO:
        """Open the file at `path` for reading, following it if it is a symbolic link.

        A link leads on within the commit; links in the middle of a path are not followed. Close
        the file, or use it in a ``with`` statement.

        Raises:
            PathNotFoundError: nothing is there.
            OstreeError: a directory is there.
        """
        found = self._tree.look_up_content(path)
        reader = _ContentReader(self._repo.store.open_content(found.checksum), found.path)
        return io.BufferedReader(reader, _BUFFER_BYTES)

    def read_bytes(self, path: str) -> bytes:
        """Return the content of the file at `path` (see `open`)."""
        with self.open(path) as file:
            return file.read()

    def read_text(self, path: str, encoding: str = "utf-8") -> str:
        """Return the content of the file at `path` as text (see `open`)."""
        return self.read_bytes(path).decode(encoding)

    def _look_up(self, path: str) -> TreeEntry:
        return self._tree.look_up(path.rstrip("/") or "/")

    def _describe(self, found: TreeEntry) -> Entry:
        if isinstance(found, TreeDir):
            meta = self._repo.load_dirmeta(found.meta)
            return DirectoryEntry(found.path, *meta, found.tree, found.meta)
        header, size = self._repo.store.read_header(found.checksum)
        uid, gid, mode, target, xattrs = header
        if header.is_symlink:
            return SymlinkEntry(found.path, uid, gid, mode, xattrs, target, found.checksum)
        return FileEntry(found.path, uid, gid, mode, xattrs, size, found.checksum)


class _ContentReader(io.RawIOBase):
    """Makes a file of the chunks of a content object."""

    def __init__(self, content: OpenContent, path: str) -> None:
        super().__init__()
        self._content = content
        self._chunks = content.chunks()
        self._rest = memoryview(b"")
        self.name = path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        while not self._rest:
            with doing(f"Reading {self.name}"):
                chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(self._rest), len(target))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def readall(self) -> bytes:
        with doing(f"Reading {self.name}"):
            return b"".join((self._rest, *self._chunks))

    def close(self) -> None:
        if not self.closed:
            self._content.close()
        super().close()
