"""Unpacked files of an archive repository, kept for the hard links of later checkouts."""

from __future__ import annotations

import stat

from pyostree.errors import doing
from pyostree.formats.objects import Checksum, loose_path
from pyostree.fs.dir import Dir
from pyostree.fs.tempfile import TempFile
from pyostree.repo.repo import Repo

CACHE_NAME = "uncompressed-objects-cache"
_SETID = stat.S_ISUID | stat.S_ISGID


class UncompressedCache:
    """``uncompressed-objects-cache/XX/REST.file``, with permissions but without setuid bits."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        repo.dir.make_dir(CACHE_NAME, 0o775, exist_ok=True)
        self._dir = repo.dir.open_dir(CACHE_NAME)

    def ensure(self, checksum: Checksum) -> Dir:
        """Unpack a regular file unless that was done; return the directory of its loose path."""
        path = loose_path(checksum, "file")
        if self._dir.exists(path):
            return self._dir
        with (
            doing(f"Unpacking loose object {checksum}"),
            self._repo.store.open_content(checksum) as content,
            TempFile(self._repo.tmp) as tmp,
        ):
            for chunk in content.chunks():
                tmp.write(chunk)
            tmp.set_mode(stat.S_IMODE(content.header.mode) & ~_SETID)
            if self._repo.fsync:
                tmp.sync()
            tmp.link(self._dir, path)
        return self._dir


def collect_garbage(repo: Repo) -> int:
    """Delete the unpacked files that no checkout has any more; return how many.

    Raises:
        OSError: one cannot be deleted.
    """
    if not repo.dir.is_dir(CACHE_NAME, follow=False):
        return 0
    count = 0
    with repo.dir.open_dir(CACHE_NAME) as cache:
        for prefix in cache.list():
            if not cache.is_dir(prefix, follow=False):
                continue
            with cache.open_dir(prefix, follow=False) as directory:
                count += sum(_remove_unused(directory, name) for name in directory.list())
    return count


def _remove_unused(directory: Dir, name: str) -> bool:
    status = directory.try_stat(name)
    is_unused = status is not None and stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    return is_unused and directory.remove(name, missing_ok=True)
