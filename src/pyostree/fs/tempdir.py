"""Private directories for programs that want files of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyostree.fs.dir import Dir


@contextmanager
def private_directory(prefix: str) -> Iterator[Dir]:
    """Give a new directory, mode 0700, below ``$TMPDIR``; it vanishes with all it holds.

    The label of the `Dir` is its path.
    """
    import shutil  # these two are slow to import
    import tempfile

    path = tempfile.mkdtemp(prefix=prefix)
    try:
        with Dir.at(path) as directory:
            yield directory
    finally:
        shutil.rmtree(path, ignore_errors=True)  # a program may be removing files there, too
