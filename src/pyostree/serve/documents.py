"""`Documents`: files that many clients ask for and that are replaced now and then.

Each is read once per version. A version in use stays whole although the file is replaced: what is
too large for memory is kept open, so that a client which has been told its length gets its bytes.
"""

from __future__ import annotations

import hashlib
import os
import stat as stat_bits
import time
from collections import deque
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.serve.public_config import format_public_config

INLINE_BYTES = 32 << 10  # larger bodies are read by the server while the client takes them
_MAX_CONFIG_BYTES = 1 << 20
_RETIRED_S = 60.0  # longer than a request waits between its answer and the opening of its file
_CONFIG = "config"

Identity = tuple[int, int, int, int]


class Version(NamedTuple):
    """One version of a document.

    Attributes:
        etag: from the content, so that all workers and mirrors agree.
        modified: seconds since 1970 UTC.
        data: all of it, unless it is too large.
        file: open for a large one.
    """

    identity: Identity
    etag: str
    modified: int
    size: int
    data: bytes | None
    file: InputFile | None


class Documents:
    """The documents at the top of one repository."""

    def __init__(self, root: Dir) -> None:
        self._root = root
        self._versions: dict[str, Version] = {}
        self._retired: deque[tuple[float, InputFile]] = deque()

    def find(self, name: str) -> Version | None:
        """Return the present version of `name`, None when there is no such file.

        Raises:
            OSError: it cannot be read.
        """
        status = self._root.try_stat(name)
        if status is None or not stat_bits.S_ISREG(status.st_mode):
            return None
        known = self._versions.get(name)
        if known is not None and known.identity == _identity(status):
            return known
        try:
            fresh = self._read(name)
        except FileNotFoundError:  # removed between the two calls
            return None
        except FormatError:
            # Only of the configuration, while somebody edits it: the last good one still holds.
            return known
        self._retire(known)
        self._versions[name] = fresh
        return fresh

    def close(self) -> None:
        """Close what is open."""
        for version in self._versions.values():
            if version.file is not None:
                version.file.close()
        for _, file in self._retired:
            file.close()

    def _read(self, name: str) -> Version:
        file = InputFile.open(self._root, name)
        keep = False
        try:
            status = file.status()
            data: bytes | None = None
            if name == _CONFIG:
                data = format_public_config(file.read_rest(max_bytes=_MAX_CONFIG_BYTES))
            elif status.st_size <= INLINE_BYTES:
                data = file.read_exactly(status.st_size)
            if data is not None:
                digest = hashlib.sha256(data)
            else:
                digest = hashlib.sha256()
                for chunk in file.chunks():
                    digest.update(chunk)
                keep = True
            return Version(
                identity=_identity(status),
                etag=f'"{digest.hexdigest()}"',
                modified=int(status.st_mtime),
                size=status.st_size if data is None else len(data),
                data=data,
                file=file if keep else None,
            )
        finally:
            if not keep:
                file.close()

    def _retire(self, version: Version | None) -> None:
        now = time.monotonic()
        if version is not None and version.file is not None:
            self._retired.append((now + _RETIRED_S, version.file))
        while self._retired and self._retired[0][0] < now:
            self._retired.popleft()[1].close()


def _identity(status: os.stat_result) -> Identity:
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
