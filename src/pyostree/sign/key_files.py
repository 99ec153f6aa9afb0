"""Files of keys, as bytes: which of them are read, and how long they may be."""

from __future__ import annotations

import errno
import os

from pyostree.errors import FormatError, NotFoundError
from pyostree.fs.dir import Dir

MAX_KEY_FILE_BYTES = 16 << 20
_NOT_REGULAR = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ELOOP)


class KeyFileError(FormatError):
    """A file is not of the form that holds keys; those before the fault may have been used."""


def read_key_file(path: str) -> bytes:
    """Return the content of a file of keys.

    Raises:
        NotFoundError: it is no regular file.
        OSError: it cannot be read.
    """
    try:
        parent, name = Dir.above(path)
        with parent:
            return parent.read_regular(name, max_bytes=MAX_KEY_FILE_BYTES)
    except OSError as err:
        if err.errno not in _NOT_REGULAR:
            raise
        raise NotFoundError(f"File object '{path}' is not a regular file") from None


def split_lines(content: bytes) -> list[bytes]:
    """Return the lines of a file with a key in each; the last one may end with the file."""
    return content.removesuffix(b"\n").split(b"\n") if content else []


def open_key_file(path: str) -> bytes:
    """Return the content of a file of keys that is named to sign a new commit.

    It may be a pipe, so that a secret need not be in a file.

    Raises:
        OSError: it is a directory, or cannot be read; in the reference's words.
    """
    try:
        parent, name = Dir.above(path)
        with parent:
            if parent.is_dir(name):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            return parent.read_file(name, max_bytes=MAX_KEY_FILE_BYTES)
    except OSError as err:
        err.__notes__ = [f"Error opening file {os.path.abspath(path)}"]
        raise
