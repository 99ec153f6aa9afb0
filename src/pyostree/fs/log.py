"""Log files: created new, appended to line by line."""

from __future__ import annotations

import os
from collections.abc import Callable

from pyostree.fs.dir import write_all

_NEW_LOG = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def create_log(path: str) -> Callable[[str], None]:
    """Create the file `path`, mode 0600, and return what appends a text to it.

    The file stays open until the process ends.

    Raises:
        FileExistsError: there is such a file.
        OSError: it cannot be created.
    """
    try:
        fd = os.open(path, _NEW_LOG, 0o600)
    except OSError as err:
        err.add_note(f"Error opening file “{path}”")
        raise

    def append(text: str) -> None:
        write_all(fd, text.encode("utf-8", "replace"))

    return append
