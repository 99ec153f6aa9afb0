"""``etc/ostree/remotes.d``: remotes of a system repository, one or more to a file."""

from __future__ import annotations

from collections.abc import Iterator

from pyostree.errors import FormatError
from pyostree.formats.keyfile import KeyFile
from pyostree.fs.dir import Dir
from pyostree.repo.repo import Repo

_PATH = "etc/ostree/remotes.d"
_SYSTEM_REPO = "ostree/repo"
_EXTENSION = ".conf"
_MAX_FILE_BYTES = 1 << 20


class RemotesDir:
    """The directory below one root; it need not exist.

    Attributes:
        takes_new: whether new remotes are written here and not into the configuration.
    """

    def __init__(self, root: Dir, *, takes_new: bool, owns_root: bool = False) -> None:
        self._root = root
        self._owns_root = owns_root
        self.takes_new = takes_new

    def close(self) -> None:
        """Close the root unless it is one that others hold open."""
        if self._owns_root:
            self._root.close()

    def full_path(self, file: str) -> str:
        """Return the path of a file in the directory, for messages."""
        return f"{self._root.label.rstrip('/')}/{_PATH}/{file}"

    def read_all(self) -> Iterator[tuple[str, KeyFile]]:
        """Yield file names and contents.

        Raises:
            FormatError: a file is no key file.
            OSError: a file cannot be read.
        """
        if not self._root.is_dir(_PATH):
            return
        with self._root.open_dir(_PATH) as directory:
            for name in directory.list():
                if not name.endswith(_EXTENSION) or not directory.is_file(name):
                    continue
                data = directory.read_file(name, max_bytes=_MAX_FILE_BYTES)
                try:
                    yield name, KeyFile.parse(data)
                except FormatError as err:
                    raise FormatError(f"Failed to parse {self.full_path(name)}: {err}") from err

    def read(self, file: str, *, max_bytes: int) -> bytes | None:
        """Return the content of a file beside the remotes, None when there is none."""
        try:
            return self._root.read_file(f"{_PATH}/{file}", max_bytes=max_bytes)
        except FileNotFoundError:
            return None

    def write(self, file: str, content: KeyFile, *, sync: bool) -> None:
        """Create or replace a file, and the directory with its parents."""
        self._root.make_dirs(_PATH, 0o755)
        self._root.replace_file(f"{_PATH}/{file}", content.encode(), sync=sync)

    def remove(self, file: str) -> None:
        """Remove a file."""
        self._root.remove(f"{_PATH}/{file}", missing_ok=True)


def find_remotes_dir(repo: Repo) -> RemotesDir | None:
    """Return the directory that applies to a repository; None when only ``config`` does."""
    if repo.sysroot_dir is not None:
        # A tree without "sysroot" is a physical root, such as a fresh one: no system runs from it.
        is_physical = not repo.sysroot_dir.exists("sysroot")
        return RemotesDir(repo.sysroot_dir, takes_new=not is_physical)
    root = Dir.at("/")
    system = root.try_stat(_SYSTEM_REPO, follow=True)
    own = repo.dir.stat_self()
    if system is not None and (system.st_dev, system.st_ino) == (own.st_dev, own.st_ino):
        return RemotesDir(root, takes_new=True, owns_root=True)
    root.close()
    return None
