"""Where a new static delta is written: nothing of it shows before all of it is there."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from pyostree.errors import InvalidNameError
from pyostree.fs.dir import Dir, random_name
from pyostree.repo.delta_dirs import SUPERBLOCK, DeltaName, delta_path
from pyostree.repo.repo import Repo


class DeltaOutput:
    """Files of one delta; a context manager that removes what was not published.

    Args:
        directory: closed with the output.
        superblock: name of that file; the parts ``0``, ``1``, ... lie beside it.
    """

    def __init__(self, directory: Dir, superblock: str) -> None:
        self._dir = directory
        self._superblock = superblock
        self._parts: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._dir:
            for name in self._parts:
                self._dir.remove(name, missing_ok=True)

    def add_part(self, data: bytes) -> None:
        """Write the next part, under a name that no reader looks for."""
        name = random_name(f"tmp.{len(self._parts)}.")
        self._parts.append(name)
        self._dir.create_file(name, data)
        self._dir.chmod(name, 0o644)

    def publish(self, superblock: bytes) -> None:
        """Give all parts their names, then write the superblock."""
        for index, name in enumerate(self._parts):
            self._dir.rename(name, str(index))
        self._parts.clear()
        self._dir.replace_file(self._superblock, superblock, sync=False)


def open_output(repo: Repo, name: DeltaName, path: str | None) -> DeltaOutput:
    """Open the place of a delta.

    Args:
        path: of the superblock; None for the usual place in the repository.

    Raises:
        InvalidNameError: `path` is empty.
        OSError: there is no such directory.
    """
    if path == "":
        raise InvalidNameError("Invalid 'filename' parameter")
    if path is not None:
        return DeltaOutput(*Dir.above(path))
    repo.dir.make_dirs(delta_path(name), 0o775)
    return DeltaOutput(repo.dir.open_dir(delta_path(name)), SUPERBLOCK)
