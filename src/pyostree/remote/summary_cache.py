"""`SummaryCache`: signed summaries of remotes, kept to save downloads.

```
summaries/NAME        xattr user.etag and mtime: what the server said of its version
summaries/NAME.sig
```
"""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import NamedTuple

from pyostree.formats.objects import MAX_METADATA_BYTES
from pyostree.formats.refspec import is_ref_fragment
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.fs.tempfile import TempFile
from pyostree.fs.xattr import set_fd_xattr
from pyostree.remote.fetch import Validators
from pyostree.repo.repo import Repo
from pyostree.repo.staging import CACHE_NAME

_DIRECTORY = "summaries"
_ETAG = "user.etag"
_SIGNATURE = ".sig"
_NS = 1_000_000_000
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
# What stands in the way of a cached file is no reason not to ask the server.
_UNUSABLE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, *_FORBIDDEN)


class CachedFile(NamedTuple):
    """A cached file and the version that the server called it."""

    data: bytes
    validators: Validators


class SummaryCache:
    """Cache below a repository's ``tmp/cache``, or below a directory of the caller's."""

    def __init__(self, repo: Repo, cache_dir: str | None = None) -> None:
        self._sync = repo.fsync
        if cache_dir is not None:
            self._dir: Dir | None = Dir.at(cache_dir)
        elif repo.writable and repo.tmp.is_dir(CACHE_NAME):
            self._dir = repo.tmp.open_dir(CACHE_NAME)
        else:
            self._dir = None

    def close(self) -> None:
        """Close the directory."""
        if self._dir is not None:
            self._dir.close()
            self._dir = None

    def read_summary(self, name: str) -> CachedFile | None:
        """Return the cached summary of a remote."""
        return self._read(name)

    def read_signature(self, name: str) -> CachedFile | None:
        """Return the cached signatures of a remote's summary."""
        return self._read(name + _SIGNATURE)

    def write(self, name: str, summary: CachedFile, signature: CachedFile) -> None:
        """Replace both files of a remote; without the permission nothing happens."""
        if self._dir is None or not is_ref_fragment(name):
            return
        try:
            self._dir.make_dir(_DIRECTORY, 0o775, exist_ok=True)
            with self._dir.open_dir(_DIRECTORY) as directory:
                write_cached_file(directory, name, summary, sync=self._sync)
                write_cached_file(directory, name + _SIGNATURE, signature, sync=self._sync)
        except OSError as err:
            if err.errno not in _FORBIDDEN:
                raise

    def forget_signature(self, name: str) -> None:
        """Delete cached signatures that have no summary."""
        if self._dir is not None and is_ref_fragment(name):
            with suppress(PermissionError):
                self._dir.remove(f"{_DIRECTORY}/{name}{_SIGNATURE}", missing_ok=True)

    def _read(self, name: str) -> CachedFile | None:
        if self._dir is None or not is_ref_fragment(name):
            return None
        try:
            file = InputFile.open(self._dir, f"{_DIRECTORY}/{name}")
        except OSError as err:
            if err.errno not in _UNUSABLE:
                raise
            return None
        with file:
            etag = file.xattr(_ETAG)
            mtime = int(file.status().st_mtime)
            data = file.read_rest(max_bytes=MAX_METADATA_BYTES)
        text = None if etag is None or b"\0" in etag else etag.decode("latin-1")
        return CachedFile(data, Validators(text, mtime))


def write_cached_file(directory: Dir, name: str, content: CachedFile, *, sync: bool) -> None:
    """Replace a file, keeping with it what the server said of its version."""
    with TempFile(directory) as file:
        file.write(content.data)
        file.set_mode(0o644)
        if content.validators.etag:
            with suppress(OSError):  # the file system may know no xattrs; we then ask again
                set_fd_xattr(file.fd, _ETAG, content.validators.etag.encode("latin-1"))
        if content.validators.last_modified:
            mtime_ns = content.validators.last_modified * _NS
            file.set_times_ns(mtime_ns, mtime_ns)
        if sync:
            file.sync()
        file.link_replacing(directory, name)
