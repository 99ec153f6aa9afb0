"""What repositories say in their summaries of the refs that are wanted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from pyostree.errors import NotFoundError, OstreeError, describe
from pyostree.formats.objects import Checksum
from pyostree.formats.refspec import CollectionRef
from pyostree.formats.summary import LAST_MODIFIED, big_endian_value
from pyostree.formats.summary_index import SummaryIndex
from pyostree.fs.dir import Dir
from pyostree.pull.finders.base import Listing, Search
from pyostree.remote.dynamic import DynamicRemote, add_dynamic
from pyostree.remote.endpoints import fetch_settings
from pyostree.remote.fetch import FetchRequest, fetch_bytes
from pyostree.remote.remotes import Remotes
from pyostree.remote.urls import parse_base_url
from pyostree.remote.watched_fetcher import WatchedFetcher
from pyostree.repo.parallel import run_with_deadline

# Nobody vouches for a peer: the index of the worst that fits takes 100 MB of memory for a moment.
MAX_PEER_SUMMARY_BYTES = 4 << 20
MAX_THREADS = 8
_SIGN_BIT = 1 << 63
_SUMMARY = "summary"
_log = logging.getLogger(__name__)
_decoding = threading.Lock()


class Offered(NamedTuple):
    """The commit that a summary lists for a ref.

    Attributes:
        size: bytes of the commit object.
        timestamp: when the commit was made, seconds since 1970 UTC; None when not given.
    """

    checksum: Checksum
    size: int
    timestamp: int | None


class Offer(NamedTuple):
    """What of the wanted refs a repository has.

    Attributes:
        last_modified: when its summary was made, seconds since 1970 UTC; 0 when unknown.
    """

    refs: dict[CollectionRef, Offered]
    last_modified: int = 0


def offer_of(summary: Listing, wanted: Iterable[CollectionRef]) -> Offer:
    """Return which of the wanted refs a summary lists.

    Raises:
        InvalidNameError: one of them has a wrong checksum.
        FormatError: the summary is damaged.
    """
    found: dict[CollectionRef, Offered] = {}
    for ref in wanted:
        entry = summary.find(ref.ref, ref.collection_id)
        if entry is not None:
            found[ref] = Offered(entry.checksum, entry.size, _signed(entry.timestamp))
    return Offer(found, big_endian_value(summary.lookup(LAST_MODIFIED)) or 0)


def _signed(timestamp: int | None) -> int | None:
    """Return a time as commits have it; a summary writes those before 1970 as huge numbers."""
    if timestamp is None or timestamp < _SIGN_BIT:
        return timestamp
    return timestamp - 2 * _SIGN_BIT


def read_summary(search: Search, remote: str | DynamicRemote) -> bytes:
    """Ask a remote for its summary.

    Raises:
        NotFoundError: it has none.
        OstreeError, OSError: it cannot be asked, or its summary is not signed as it must be.
    """
    repo = search.repo
    if isinstance(remote, str):
        from pyostree.remote.fetch_summary import fetch_summary  # libcurl takes its time to load

        options = search.fetch
        kept = search.cache_dir
        found = fetch_summary(repo, remote, cache_dir=kept, options=options, watch=search.watch)
        data = found.data
    elif remote.path is not None:
        with Dir.at(remote.path) as directory:
            limit = MAX_PEER_SUMMARY_BYTES
            data = directory.read_file(_SUMMARY, max_bytes=limit, follow=False)
    else:
        data = _fetch_from_peer(search, remote)
    if data is None:
        raise NotFoundError("there is no summary")
    return data


def _fetch_from_peer(search: Search, remote: DynamicRemote) -> bytes | None:
    # Neither its signatures nor the cache are of use: the summary of a peer is not believed.
    from pyostree.remote.curl import open_fetcher

    repo = search.repo
    remotes = Remotes.load(repo)
    add_dynamic(remotes, remote)
    settings = fetch_settings(repo, remotes, remote.name, search.fetch._replace(compressed=True))
    with open_fetcher(settings, repo.tmp) as fetcher:
        bases = (parse_base_url(remote.url),)
        request = FetchRequest(_SUMMARY, bases, MAX_PEER_SUMMARY_BYTES, optional=True)
        return fetch_bytes(WatchedFetcher(fetcher, search.watch), request)


def fetch_offers(
    search: Search, remotes: Sequence[str | DynamicRemote], *, is_limited: bool
) -> list[Offer | None]:
    """Ask remotes, several at once, which of the wanted refs they have.

    Args:
        is_limited: whether those that have not answered after the search's time are left out.

    Returns:
        For each remote its offer; None for those that cannot be used.
    """

    def ask(remote: str | DynamicRemote) -> Offer | None:
        try:
            data = read_summary(limited, remote)
            with _decoding:  # one at a time, for its memory
                return offer_of(SummaryIndex(data), refs_of(remote, search.refs))
        except (OstreeError, OSError) as err:
            name = remote if isinstance(remote, str) else remote.name
            _log.debug("Failed to download summary for remote ‘%s’: %s", name, describe(err))
            return None

    limited = search.limited() if is_limited else search
    timeout_s = search.timeout_s if is_limited else None
    jobs = [partial(ask, remote) for remote in remotes]
    return run_with_deadline(jobs, threads=MAX_THREADS, timeout_s=timeout_s, watch=search.watch)


def refs_of(
    remote: str | DynamicRemote, refs: Iterable[CollectionRef]
) -> tuple[CollectionRef, ...]:
    """Return those refs that a remote may offer: a peer only those of its collection."""
    if isinstance(remote, str):
        return tuple(refs)
    return tuple(ref for ref in refs if ref.collection_id == remote.collection_id)
