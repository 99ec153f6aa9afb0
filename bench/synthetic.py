"""Large repositories made directly, object by object: how many matters, not what is in them.

All are of mode bare. A file is empty and belongs to a user of its own, so that it is an object of
its own that takes up no more than an inode. Where hard links count it has content, because a
checkout copies empty files.
"""

import hashlib
import os
from pathlib import Path

from pyostree.formats.commit import Commit, encode_commit
from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.dirtree import DirEntry, Dirtree, FileEntry, encode_dirtree
from pyostree.formats.file_header import FileHeader, encode_header
from pyostree.formats.objects import Checksum

REF = "main"
_FILE_MODE = 0o100644
_FILES_PER_DIRECTORY = 1000
_DIRECTORIES_OF_HISTORY = 50
_FILES_OF_HISTORY = 20
_HOUR_S = 3600
_EPOCH = 1_600_000_000
_CONFIG = "[core]\nrepo_version=1\nmode=bare\nmin-free-space-percent=0\n"


class SyntheticRepo:
    """Writes objects into a new repository.

    Everything is put in place with plain calls: neither of the two commands could make so many
    objects quickly, or any without looking at each other's.
    """

    def __init__(self, path: Path, content: bytes = b"") -> None:
        self._path = path
        self._content = content
        for name in ("objects", "tmp", "state", "extensions", "refs/heads", "refs/remotes",
                     "refs/mirrors"):  # fmt: skip
            (path / name).mkdir(parents=True)
        (path / "config").write_text(_CONFIG)
        for number in range(256):
            (path / f"objects/{number:02x}").mkdir()
        self._objects = os.open(path / "objects", os.O_RDONLY | os.O_DIRECTORY)
        self.dirmeta = self.put(encode_dirmeta(Dirmeta(0, 0, 0o40755)), "dirmeta")

    def close(self) -> None:
        """Give back the descriptor."""
        os.close(self._objects)

    def put(self, data: bytes, extension: str) -> Checksum:
        """Write a metadata object."""
        checksum = Checksum(hashlib.sha256(data).digest())
        fd = self._create(checksum, extension)
        if fd is not None:
            os.write(fd, data)
            os.close(fd)
        return checksum

    def put_file(self, serial: int) -> Checksum:
        """Write the file of one user."""
        header = encode_header(FileHeader(serial, 0, _FILE_MODE))
        checksum = Checksum(hashlib.sha256(header + self._content).digest())
        fd = self._create(checksum, "file")
        if fd is not None:
            os.write(fd, self._content)
            os.fchown(fd, serial, 0)
            os.close(fd)
        return checksum

    def _create(self, checksum: Checksum, extension: str) -> int | None:
        text = checksum.hex()
        name = f"{text[:2]}/{text[2:]}.{extension}"
        try:
            return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=self._objects)
        except FileExistsError:
            return None

    def put_directory(self, first: int, count: int) -> Checksum:
        """Write a directory of `count` files, of the users from `first` on."""
        return self.put_tree([(f"file{n}", self.put_file(n)) for n in range(first, first + count)])

    def put_tree(
        self, files: list[FileEntry], trees: tuple[tuple[str, Checksum], ...] = ()
    ) -> Checksum:
        """Write a directory of files and subdirectories."""
        dirs: tuple[DirEntry, ...] = tuple((name, tree, self.dirmeta) for name, tree in trees)
        return self.put(encode_dirtree(Dirtree(tuple(files), dirs)), "dirtree")

    def put_commit(
        self, trees: dict[str, Checksum], serial: int, parent: Checksum | None
    ) -> Checksum:
        """Write a commit whose root holds these directories."""
        root = self.put_tree([], tuple(trees.items()))
        when = _EPOCH + serial * _HOUR_S
        commit = Commit((), parent, (), f"Commit {serial}", "", when, root, self.dirmeta)
        return self.put(encode_commit(commit), "commit")

    def set_ref(self, commit: Checksum, name: str = REF) -> None:
        """Point a ref to a commit."""
        path = self._path / "refs/heads" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{commit}\n")


def make_objects(path: Path, count: int, content: bytes = b"") -> None:
    """Make a repository of `count` files in directories of a thousand, and one commit."""
    repo = SyntheticRepo(path, content)
    trees = {
        f"dir{first}": repo.put_directory(first, min(_FILES_PER_DIRECTORY, count - first))
        for first in range(0, count, _FILES_PER_DIRECTORY)
    }
    repo.set_ref(repo.put_commit(trees, 0, None))
    repo.close()


def make_linkable(path: Path, count: int) -> None:
    """Make the same of files that are not empty."""
    make_objects(path, count, b"x")


def make_directory(path: Path, count: int) -> None:
    """Make a repository of one directory with `count` files, and one commit."""
    repo = SyntheticRepo(path)
    repo.set_ref(repo.put_commit({"large": repo.put_directory(0, count)}, 0, None))
    repo.close()


def make_history(path: Path, count: int) -> None:
    """Make a repository of `count` commits, each with one changed file in one of 50 directories."""
    repo = SyntheticRepo(path)
    serial = _DIRECTORIES_OF_HISTORY * _FILES_OF_HISTORY
    trees = {
        f"dir{n:02}": repo.put_directory(n * _FILES_OF_HISTORY, _FILES_OF_HISTORY)
        for n in range(_DIRECTORIES_OF_HISTORY)
    }
    commit = repo.put_commit(trees, 0, None)
    for number in range(1, count):
        # The files of the changed directory move on by one: one is new, the others are shared.
        first = number % _DIRECTORIES_OF_HISTORY * _FILES_OF_HISTORY
        files = [
            (f"file{n}", repo.put_file(n)) for n in range(first, first + _FILES_OF_HISTORY - 1)
        ]
        files.append(("new", repo.put_file(serial + number)))
        trees[f"dir{number % _DIRECTORIES_OF_HISTORY:02}"] = repo.put_tree(files)
        commit = repo.put_commit(trees, number, commit)
    repo.set_ref(commit)
    repo.close()


def make_refs(path: Path, count: int) -> None:
    """Make a repository of `count` refs, a thousand to a directory, each to a commit of its own."""
    repo = SyntheticRepo(path)
    for number in range(count):
        name = f"group{number // _FILES_PER_DIRECTORY}/ref{number}"
        repo.set_ref(repo.put_commit({}, number, None), name)
    repo.close()
