"""Private directories for programs that want files of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pyostree.fs.dir import Dir

_DEFAULT_PLACE = "/tmp"


@contextmanager
def private_directory(prefix: str) -> Iterator[Dir]:
    """Give a new directory, mode 0700, below ``$TMPDIR``; it vanishes with all it holds.

    The label of the `Dir` is its absolute path. Where no directory can be made below ``$TMPDIR``
    (``/tmp`` if that is empty), none is: others, such as the current directory, may belong to
    people who would put something else in its place.

    Raises:
        OSError: it cannot be made.
    """
    import shutil  # these two are slow to import
    import tempfile

    place = os.environ.get("TMPDIR") or _DEFAULT_PLACE
    path = tempfile.mkdtemp(prefix=prefix, dir=os.path.abspath(place))
    try:
        with Dir.at(path) as directory:
            yield directory
    finally:
        shutil.rmtree(path, ignore_errors=True)  # a program may be removing files there, too
