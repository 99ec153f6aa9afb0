"""`SummaryFetcher`: the files ``summary`` and ``summary.sig`` of a remote, by way of the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyostree.errors import FormatError, NotFoundError, VerificationError
from pyostree.formats.objects import MAX_METADATA_BYTES
from pyostree.remote.fetch import (
    Completed,
    Fetcher,
    FetchRequest,
    Validators,
    fetch_one,
    fetch_together,
)
from pyostree.remote.summary_cache import CachedFile, SummaryCache
from pyostree.remote.urls import BaseUrl
from pyostree.repo.forced_errors import is_forced

SUMMARY, SIGNATURE = "summary", "summary.sig"


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

    @property
    def summary_data(self) -> bytes | None:
        """The bytes of the summary."""
        return None if self.summary is None else self.summary.data

    @property
    def signature_data(self) -> bytes | None:
        """The bytes of the file with its signatures."""
        return None if self.signature is None else self.signature.data


class SummaryFetcher:
    """Gets the files of one remote, asking the server whether what is cached still holds."""

    def __init__(
        self, fetcher: Fetcher, cache: SummaryCache, name: str, bases: tuple[BaseUrl, ...]
    ) -> None:
        self._fetcher = fetcher
        self._cache = cache
        self._name = name
        self._bases = bases

    def fetch(self, from_metalink: bytes | None = None) -> SummaryFiles:
        """Return the files.

        Args:
            from_metalink: the summary, where a metalink brought it along.

        Raises:
            FetchError: the server cannot be asked.
        """
        old_signature = self._cache.read_signature(self._name)
        old = self._cache.read_summary(self._name)
        if old_signature is None and from_metalink is None:
            return self._fetch_both(old)
        signature, is_same = self._get(SIGNATURE, old_signature)
        if is_same:
            signature = old_signature
        if from_metalink is not None:
            return SummaryFiles(CachedFile(from_metalink, Validators()), signature)
        if signature is not None and _has_same_data(signature, old_signature):
            if old is not None:
                return SummaryFiles(old, signature, is_cached=True)
            self._cache.forget_signature(self._name)
        summary, is_same = self._get(SUMMARY, old)
        if is_same:
            return SummaryFiles(old, signature, is_cached=True)
        return SummaryFiles(summary, signature, is_new=True)

    def _fetch_both(self, old: CachedFile | None) -> SummaryFiles:
        """Ask for both at once: without a signature of earlier neither tells about the other."""
        requests = (self._request(SIGNATURE, None), self._request(SUMMARY, old))
        first, second = fetch_together(self._fetcher, requests)
        signature = _content(first)
        if second.not_modified:
            return SummaryFiles(old, signature, is_cached=True)
        return SummaryFiles(_content(second), signature, is_new=True)

    def checked(self, files: SummaryFiles, check: Callable[[SummaryFiles], None]) -> SummaryFiles:
        """Return files that pass `check`: these, or where the summary was cached, fresh ones.

        What is cached may be older than the signature, have been written by halves or be damaged.

        Raises:
            VerificationError, FormatError: the files do not pass, and are what the server has.
        """
        try:
            check(files)
        except (VerificationError, FormatError):
            if not files.is_cached:
                raise
            if is_forced("invalid-cache"):
                raise VerificationError(
                    f"Remote {self._name} cached summary invalid and "
                    "OSTREE_REPO_TEST_ERROR_INVALID_CACHE specified"
                ) from None
            files = self._fetch_both(None)
            check(files)
        return files

    def keep(self, files: SummaryFiles) -> None:
        """Cache files that are new; those without signature are not worth it."""
        if files.is_new and files.summary is not None and files.signature is not None:
            self._cache.write(self._name, files.summary, files.signature)

    def _get(self, path: str, cached: CachedFile | None) -> tuple[CachedFile | None, bool]:
        """Return a file, and whether the server said that ours is the same."""
        completed = fetch_one(self._fetcher, self._request(path, cached))
        return _content(completed), completed.not_modified

    def _request(self, path: str, cached: CachedFile | None) -> FetchRequest:
        return FetchRequest(
            path,
            self._bases,
            MAX_METADATA_BYTES,
            validators=None if cached is None else cached.validators,
            keep_validators=True,
            optional=True,
        )


def fetch_through_metalink(fetcher: Fetcher, url: str) -> SummaryFiles:
    """Return both files, reading the metalink at `url` for each of them; nothing is cached.

    Raises:
        FetchError, FormatError: it cannot be read.
    """

    from pyostree.remote.metalink import fetch_metalink  # few remotes have one

    def get(file: str) -> CachedFile | None:
        try:
            return CachedFile(fetch_metalink(fetcher, url, file).data, Validators())
        except NotFoundError:
            return None

    signature = get(SIGNATURE)
    return SummaryFiles(get(SUMMARY), signature)


def _has_same_data(one: CachedFile, other: CachedFile | None) -> bool:
    return other is not None and one.data == other.data


def _content(completed: Completed) -> CachedFile | None:
    if completed.error is not None and not completed.missing:
        raise completed.error
    if completed.body is None:
        return None
    with completed.body as body:
        return CachedFile(body.read(), completed.validators)
