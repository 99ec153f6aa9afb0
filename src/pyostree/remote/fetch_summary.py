"""Getting a remote's summary, with its signatures, for looking at it (not for a pull)."""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

from pyostree.errors import VerificationError
from pyostree.formats.summary_index import SummaryIndex
from pyostree.remote.curl import open_fetcher
from pyostree.remote.endpoints import (
    DEFAULT_OPTIONS,
    Demands,
    FetchOptions,
    fetch_settings,
    read_demands,
    unverifiable,
)
from pyostree.remote.keyrings import verify_gpg_summary
from pyostree.remote.mirrorlist import fetch_bases
from pyostree.remote.remotes import Remotes
from pyostree.remote.summary_cache import SummaryCache
from pyostree.remote.summary_fetcher import (
    SummaryFetcher,
    SummaryFiles,
    fetch_through_metalink,
)
from pyostree.remote.watched_fetcher import WatchedFetcher
from pyostree.repo.repo import Repo
from pyostree.sign.gpg.result import GpgSignature
from pyostree.watch import UNWATCHED, Watch


class FetchedSummary(NamedTuple):
    """A summary and its signatures as they came; None for what the remote does not have.

    Attributes:
        gpg: its OpenPGP signatures, one of them valid; empty when none are demanded.
    """

    data: bytes | None
    signature: bytes | None
    gpg: tuple[GpgSignature, ...] = ()


def fetch_summary(
    repo: Repo,
    name: str,
    *,
    cache_dir: str | None = None,
    options: FetchOptions = DEFAULT_OPTIONS,
    watch: Watch = UNWATCHED,
) -> FetchedSummary:
    """Return a remote's summary, from the cache if the server says it is the same.

    Raises:
        CancelledError: `watch` wishes so.
        RemoteNotFoundError, ConfigError: the remote is not, or wrongly, configured.
        FetchError: the server cannot be read.
        VerificationError: the remote demands signatures that are missing or cannot be checked.
    """
    remotes = Remotes.load(repo)
    demands = read_demands(remotes, name)
    settings = fetch_settings(repo, remotes, name, options._replace(compressed=True))
    with (
        closing(SummaryCache(repo, cache_dir)) as cache,
        open_fetcher(settings, repo.tmp) as unwatched,
    ):
        fetcher = WatchedFetcher(unwatched, watch)
        metalink = remotes.get(name, "metalink")
        if metalink is not None:
            return _checked(remotes, name, demands, fetch_through_metalink(fetcher, metalink))
        bases = fetch_bases(fetcher, remotes.url(name))
        summaries = SummaryFetcher(fetcher, cache, name, bases)
        passed: list[FetchedSummary] = []

        def check(files: SummaryFiles) -> None:
            if files.is_cached and files.summary is not None:
                SummaryIndex(files.summary.data)  # what the server has now may be sound
            passed.append(_checked(remotes, name, demands, files))

        summaries.keep(summaries.checked(summaries.fetch(), check))
        return passed[-1]


def _checked(remotes: Remotes, name: str, demands: Demands, files: SummaryFiles) -> FetchedSummary:
    """Return the summary with what is known of its signatures; fail unless demands are met."""
    found = FetchedSummary(files.summary_data, files.signature_data)
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
