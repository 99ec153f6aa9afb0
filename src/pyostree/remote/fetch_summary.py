"""Getting a remote's summary, with its signatures, for looking at it (not for a pull)."""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

from pyostree.errors import NotFoundError, VerificationError
from pyostree.remote.curl import open_fetcher
from pyostree.remote.endpoints import (
    DEFAULT_OPTIONS,
    FetchOptions,
    fetch_settings,
    read_demands,
    unverifiable,
)
from pyostree.remote.fetch import (
    MAX_METADATA_BYTES,
    Completed,
    Fetcher,
    FetchRequest,
    fetch_one,
)
from pyostree.remote.keyrings import verify_gpg_summary
from pyostree.remote.metalink import fetch_metalink
from pyostree.remote.mirrorlist import fetch_bases
from pyostree.remote.remotes import Remotes
from pyostree.remote.summary_cache import CachedFile, SummaryCache, is_permission_error
from pyostree.remote.urls import BaseUrl
from pyostree.repo.repo import Repo
from pyostree.sign.gpg.result import GpgSignature

_SUMMARY, _SIGNATURE = "summary", "summary.sig"


class FetchedSummary(NamedTuple):
    """A summary and its signatures as they came; None for what the remote does not have.

    Attributes:
        gpg: its OpenPGP signatures, one of them valid; empty when none are demanded.
    """

    data: bytes | None
    signature: bytes | None
    gpg: tuple[GpgSignature, ...] = ()


def fetch_summary(
    repo: Repo, name: str, *, cache_dir: str | None = None, options: FetchOptions = DEFAULT_OPTIONS
) -> FetchedSummary:
    """Return a remote's summary, from the cache if the server says it is the same.

    Raises:
        RemoteNotFoundError, ConfigError: the remote is not, or wrongly, configured.
        FetchError: the server cannot be read.
        VerificationError: the remote demands signatures that are missing or cannot be checked.
    """
    remotes = Remotes.load(repo)
    settings = fetch_settings(repo, remotes, name, options._replace(compressed=True))
    with (
        closing(SummaryCache(repo, cache_dir)) as cache,
        open_fetcher(settings, repo.tmp) as fetcher,
    ):
        metalink = remotes.get(name, "metalink")
        if metalink is not None:
            found = _through_metalink(fetcher, metalink)
        else:
            bases = fetch_bases(fetcher, remotes.url(name))
            found = _Session(fetcher, cache, name, bases).fetch()
    return _check(remotes, name, found)


class _Session:
    """One look at a remote's summary."""

    def __init__(
        self, fetcher: Fetcher, cache: SummaryCache, name: str, bases: tuple[BaseUrl, ...]
    ) -> None:
        self._fetcher = fetcher
        self._cache = cache
        self._name = name
        self._bases = bases

    def fetch(self) -> FetchedSummary:
        cached_signature = self._cache.read_signature(self._name)
        cached = self._cache.read_summary(self._name)
        signature, is_same = self._get(_SIGNATURE, cached_signature)
        if is_same and cached is not None and cached_signature is not None:
            return FetchedSummary(cached.data, cached_signature.data)
        if signature is not None and cached_signature is not None:
            if signature.data == cached_signature.data and cached is not None:
                return FetchedSummary(cached.data, signature.data)
            if cached is None:
                self._cache.forget_signature(self._name)
        summary, is_same = self._get(_SUMMARY, cached)
        if is_same:
            summary = cached
        elif summary is not None and signature is not None:
            self._keep(summary, signature)
        return FetchedSummary(
            None if summary is None else summary.data,
            None if signature is None else signature.data,
        )

    def _get(self, path: str, cached: CachedFile | None) -> tuple[CachedFile | None, bool]:
        """Return the file, and whether the server said that ours is the same."""
        request = FetchRequest(
            path,
            self._bases,
            MAX_METADATA_BYTES,
            validators=None if cached is None else cached.validators,
            keep_validators=True,
            optional=True,
        )
        completed = fetch_one(self._fetcher, request)
        return _content(completed), completed.not_modified

    def _keep(self, summary: CachedFile, signature: CachedFile) -> None:
        try:
            self._cache.write(self._name, summary, signature)
        except OSError as err:
            if not is_permission_error(err):
                raise


def _content(completed: Completed) -> CachedFile | None:
    if completed.error is not None and not completed.missing:
        raise completed.error
    if completed.body is None:
        return None
    with completed.body as body:
        return CachedFile(body.read(), completed.validators)


def _through_metalink(fetcher: Fetcher, url: str) -> FetchedSummary:
    """Return both files by reading the metalink for each of them."""

    def get(file: str) -> bytes | None:
        try:
            return fetch_metalink(fetcher, url, file).data
        except NotFoundError:
            return None

    signature = get(_SIGNATURE)
    return FetchedSummary(get(_SUMMARY), signature)


def _check(remotes: Remotes, name: str, found: FetchedSummary) -> FetchedSummary:
    """Return the summary with what is known of its signatures; fail unless demands are met."""
    demands = read_demands(remotes, name)
    if demands.gpg_summary:
        data, signature = _require(found, "GPG", "gpg-verify-summary")
        found = found._replace(gpg=verify_gpg_summary(remotes, name, data, signature))
    if demands.engine_summary:
        _require(found, "Signature", "sign-verify-summary")
        raise unverifiable(name, "sign-verify-summary")
    return found


def _require(found: FetchedSummary, kind: str, option: str) -> tuple[bytes, bytes]:
    if found.data is None:
        raise VerificationError(
            f"{kind} verification enabled, but no summary found "
            "(check that the configured URL in remote config is correct)"
        )
    if found.signature is None:
        raise VerificationError(
            f"{kind} verification enabled, but no summary signatures found "
            f"(use {option}=false in remote config to disable)"
        )
    return found.data, found.signature
