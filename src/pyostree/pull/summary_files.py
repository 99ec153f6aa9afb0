"""The files ``summary`` and ``summary.sig``: fetched for a pull, and mirrored."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyostree.errors import VerificationError
from pyostree.remote.fetch import Completed, Fetcher, FetchRequest, Validators, fetch_one
from pyostree.remote.summary_cache import (
    CachedFile,
    SummaryCache,
    is_permission_error,
    write_cached_file,
)
from pyostree.remote.urls import BaseUrl
from pyostree.repo.forced_errors import is_forced
from pyostree.repo.repo import Repo

SUMMARY, SIGNATURE = "summary", "summary.sig"
MAX_SUMMARY_BYTES = 128 << 20


class SummaryFiles(NamedTuple):
    """Both files; None for what there is not.

    Attributes:
        is_new: they came just now, not from a cache.
        is_cached: the summary is from the cache.
    """

    summary: CachedFile | None
    signature: CachedFile | None
    is_new: bool = False
    is_cached: bool = False


class SummaryFetcher:
    """Gets the files of one remote, asking the server whether what is cached still holds."""

    def __init__(
        self, fetcher: Fetcher, cache: SummaryCache, name: str, bases: tuple[BaseUrl, ...]
    ) -> None:
        self._fetcher = fetcher
        self._cache = cache
        self._name = name
        self._bases = bases

    def fetch(self, from_metalink: bytes | None) -> SummaryFiles:
        """Return the files.

        Args:
            from_metalink: the summary, where a metalink brought it along.

        Raises:
            FetchError: the server cannot be asked.
        """
        old_signature = self._cache.read_signature(self._name)
        old = self._cache.read_summary(self._name)
        signature, is_same = self._get(SIGNATURE, old_signature)
        if is_same:
            signature = old_signature
        if from_metalink is not None:
            return SummaryFiles(CachedFile(from_metalink, Validators()), signature)
        if old is not None and signature is not None and _has_same_data(signature, old_signature):
            return SummaryFiles(old, signature, is_cached=True)
        summary, is_same = self._get(SUMMARY, old)
        found = old if is_same else summary
        return SummaryFiles(found, signature, is_new=not is_same, is_cached=is_same)

    def checked(self, files: SummaryFiles, check: Callable[[SummaryFiles], None]) -> SummaryFiles:
        """Return files that pass `check`: these, or where the summary was cached, a fresh one.

        What is cached may be older than the signature, or have been written by halves.

        Raises:
            VerificationError: the files do not pass, and are what the server has.
        """
        try:
            check(files)
        except VerificationError:
            if not files.is_cached:
                raise
            if is_forced("invalid-cache"):
                raise VerificationError(
                    f"Remote {self._name} cached summary invalid and "
                    "OSTREE_REPO_TEST_ERROR_INVALID_CACHE specified"
                ) from None
            summary, _ = self._get(SUMMARY, None)
            files = SummaryFiles(summary, files.signature, is_new=True)
            check(files)
        return files

    def keep(self, files: SummaryFiles) -> None:
        """Cache files that are new; those without signature are not worth it."""
        if not files.is_new or files.summary is None or files.signature is None:
            return
        try:
            self._cache.write(self._name, files.summary, files.signature)
        except OSError as err:
            if not is_permission_error(err):
                raise

    def _get(self, path: str, cached: CachedFile | None) -> tuple[CachedFile | None, bool]:
        """Return a file, and whether the server said that ours is the same."""
        request = FetchRequest(
            path,
            self._bases,
            MAX_SUMMARY_BYTES,
            validators=None if cached is None else cached.validators,
            keep_validators=True,
            optional=True,
        )
        completed = fetch_one(self._fetcher, request)
        return _content(completed), completed.not_modified


def _has_same_data(one: CachedFile, other: CachedFile | None) -> bool:
    return other is not None and one.data == other.data


def _content(completed: Completed) -> CachedFile | None:
    if completed.error is not None and not completed.missing:
        raise completed.error
    if completed.body is None:
        return None
    with completed.body as body:
        return CachedFile(body.read(), completed.validators)


def read_summary_files(source: Repo) -> SummaryFiles:
    """Return the files of a repository on this machine."""
    return SummaryFiles(_read(source, SUMMARY), _read(source, SIGNATURE))


def _read(source: Repo, name: str) -> CachedFile | None:
    try:
        data = source.dir.read_file(name, max_bytes=MAX_SUMMARY_BYTES)
    except FileNotFoundError:
        return None
    mtime = source.dir.stat(name, follow=True).st_mtime
    return CachedFile(data, Validators(None, int(mtime)))


def mirror_summary(repo: Repo, files: SummaryFiles) -> None:
    """Give `repo` the summary of the remote that it mirrors completely."""
    if files.summary is None or repo.config.auto_update_summary():
        return
    for name, file in ((SUMMARY, files.summary), (SIGNATURE, files.signature)):
        if file is None:
            repo.dir.remove(name, missing_ok=True)  # it would belong to another summary
        else:
            write_cached_file(repo.dir, name, file, sync=repo.fsync)
