"""Getting a remote's summary, with its signatures, for looking at it (not for a pull)."""

from __future__ import annotations

from contextlib import closing, nullcontext
from typing import NamedTuple

from pyostree.formats.summary_index import SummaryIndex
from pyostree.remote.curl import open_fetcher
from pyostree.remote.endpoints import (
    DEFAULT_OPTIONS,
    FetchOptions,
    fetch_settings,
    read_demands,
)
from pyostree.remote.mirrorlist import fetch_bases
from pyostree.remote.remotes import Remotes
from pyostree.remote.sign_keys import FOR_COMMITS, FOR_SUMMARY, read_engine_demand
from pyostree.remote.summary_cache import SummaryCache
from pyostree.remote.summary_fetcher import (
    SummaryFetcher,
    SummaryFiles,
    fetch_through_metalink,
)
from pyostree.remote.summary_signatures import IN_LOOK, SummaryDemand
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
        UnsupportedError: it names an engine that there is not.
        VerificationError: the remote demands signatures that are missing or no good.
    """
    remotes = Remotes.load(repo)
    settings = fetch_settings(repo, remotes, name, options._replace(compressed=True))
    with (
        _open_demand(remotes, name) as demand,
        closing(SummaryCache(repo, cache_dir)) as cache,
        open_fetcher(settings, repo.tmp) as unwatched,
    ):
        fetcher = WatchedFetcher(unwatched, watch)
        metalink = remotes.get(name, "metalink")
        if metalink is not None:
            return _checked(demand, fetch_through_metalink(fetcher, metalink))
        bases = fetch_bases(fetcher, remotes.url(name))
        summaries = SummaryFetcher(fetcher, cache, name, bases)
        passed: list[FetchedSummary] = []

        def check(files: SummaryFiles) -> None:
            if files.is_cached and files.summary is not None:
                SummaryIndex(files.summary.data)  # what the server has now may be sound
            passed.append(_checked(demand, files))

        summaries.keep(summaries.checked(summaries.fetch(), check))
        return passed[-1]


def _open_demand(remotes: Remotes, name: str) -> SummaryDemand:
    gpg_owner = name if read_demands(remotes, name).gpg_summary else None
    # A remote that no pull could do anything with is not looked at either.
    with read_engine_demand(remotes, name, FOR_COMMITS) or nullcontext():
        return SummaryDemand(remotes, gpg_owner, read_engine_demand(remotes, name, FOR_SUMMARY))


def _checked(demand: SummaryDemand, files: SummaryFiles) -> FetchedSummary:
    """Return the summary with what is known of its signatures; fail unless demands are met."""
    data, signature = files.summary_data, files.signature_data
    return FetchedSummary(data, signature, demand.check(data, signature, IN_LOOK))
