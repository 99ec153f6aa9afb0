"""`MemoryTree`: a tree that a program builds, file by file, to commit it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from pyostree.errors import ConflictError, FormatError, InvalidNameError
from pyostree.formats.dirmeta import Dirmeta
from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import check_filename
from pyostree.formats.xattrs import Xattrs

_PERMISSION_BITS = 0o7777
_MAX_ID = (1 << 32) - 1

Content = bytes | bytearray | memoryview | BinaryIO | os.PathLike[str]


class Leaf(NamedTuple):
    """A file or symlink: its header, and where its bytes come from."""

    header: FileHeader
    content: Content


class Node:
    """A directory; `meta` is None while nothing but the paths below it asked for it."""

    __slots__ = ("dirs", "files", "meta")

    def __init__(self) -> None:
        self.meta: Dirmeta | None = None
        self.dirs: dict[str, Node] = {}
        self.files: dict[str, Leaf] = {}


class MemoryTree:
    """A tree in memory.

    Paths are absolute from the root of the tree; a leading slash may be missing. Directories on
    the way are made as they are needed, with mode 0755 and owner 0:0, and may be given others by
    `add_dir` before or after. Adding a file or symlink again replaces it. Xattrs are pairs of
    names and values, or a mapping; those without a value are left out, as they are of files.

    Bytes are not copied, other content is read when the tree is committed: a stream only once, so
    that such a tree can be committed once.
    """

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root = Node()

    def add_file(
        self,
        path: str,
        content: Content,
        *,
        mode: int = 0o644,
        uid: int = 0,
        gid: int = 0,
        xattrs: Xattrs | Mapping[str, bytes] = (),
    ) -> None:
        """Add a regular file.

        Args:
            path: where it is in the tree.
            content: bytes, the path of a local file, or a binary stream, which is read from where
                it stands to its end.
            mode: permission bits.

        Raises:
            InvalidNameError: a part of `path` is empty, ``.``, ``..`` or no UTF-8.
            ConflictError: a directory is there, or a file where `path` needs a directory.
            ValueError: a mode, owner or attribute that no file can have.
        """
        header = FileHeader(
            _checked_id(uid), _checked_id(gid), _typed_mode(stat.S_IFREG, mode), "", _pairs(xattrs)
        )
        self._put(path, Leaf(header, content))

    def add_symlink(
        self,
        path: str,
        target: str,
        *,
        uid: int = 0,
        gid: int = 0,
        xattrs: Xattrs | Mapping[str, bytes] = (),
    ) -> None:
        """Add a symbolic link (errors as `add_file`)."""
        if not target or "\0" in target:
            raise ValueError(f"a symbolic link to {target!r}")
        try:
            target.encode("utf-8")
        except UnicodeEncodeError:
            raise FormatError(f"Invalid UTF-8 in symlink target {target!r}") from None
        mode = _typed_mode(stat.S_IFLNK, 0o777)
        header = FileHeader(_checked_id(uid), _checked_id(gid), mode, target, _pairs(xattrs))
        self._put(path, Leaf(header, b""))

    def add_dir(
        self,
        path: str,
        *,
        mode: int = 0o755,
        uid: int = 0,
        gid: int = 0,
        xattrs: Xattrs | Mapping[str, bytes] = (),
    ) -> None:
        """Add a directory, or change the one that is there; ``/`` is the root.

        Raises:
            InvalidNameError, ConflictError, ValueError: see `add_file`.
        """
        meta = Dirmeta(
            _checked_id(uid), _checked_id(gid), _typed_mode(stat.S_IFDIR, mode), _pairs(xattrs)
        )
        self._directory(_split(path)).meta = meta

    def _put(self, path: str, leaf: Leaf) -> None:
        parts = _split(path)
        if not parts:
            raise InvalidNameError("Invalid empty filename")
        node, name = self._directory(parts[:-1]), parts[-1]
        if name in node.dirs:
            raise ConflictError(f"Can't replace directory with file: {name}")
        node.files[name] = leaf

    def _directory(self, parts: list[str]) -> Node:
        node = self._root
        for name in parts:
            below = node.dirs.get(name)
            if below is None:
                if name in node.files:
                    raise ConflictError(f"Can't replace file with directory: {name}")
                below = node.dirs[name] = Node()
            node = below
        return node

    def count(self) -> tuple[int, int | None]:
        """Return how many files and symlinks there are, and their bytes; None if not known yet."""
        files = size = 0
        is_known = True
        for _, node in self.walk():
            files += len(node.files)
            for leaf in node.files.values():
                if isinstance(leaf.content, bytes | bytearray | memoryview):
                    size += memoryview(leaf.content).nbytes
                else:
                    is_known = False
        return files, size if is_known else None

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Yield the directories, each before those in it, with their paths; for committing."""
        stack = [("/", self._root)]
        while stack:
            path, node = stack.pop()
            yield path, node
            lead = path if path == "/" else path + "/"
            stack.extend((lead + name, below) for name, below in reversed(node.dirs.items()))


def _split(path: str) -> list[str]:
    inside = path.removeprefix("/").removesuffix("/")
    parts = inside.split("/") if inside else []
    for part in parts:
        check_filename(part)
    return parts


def _typed_mode(kind: int, mode: int) -> int:
    if mode & ~_PERMISSION_BITS:
        raise ValueError(f"mode {mode:#o} has more than permission bits")
    return kind | mode


def _checked_id(number: int) -> int:
    if not 0 <= number <= _MAX_ID:
        raise ValueError(f"no file can have the owner {number}")
    return number


def _pairs(xattrs: Xattrs | Mapping[str, bytes]) -> Xattrs:
    if isinstance(xattrs, Mapping):
        pairs = [(os.fsencode(name), bytes(value)) for name, value in xattrs.items()]
    else:
        pairs = [(bytes(name), bytes(value)) for name, value in xattrs]
    pairs.sort()
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names) or any(not name or b"\0" in name for name in names):
        raise ValueError(f"bad names of attributes: {names}")
    return tuple(pair for pair in pairs if pair[1])
