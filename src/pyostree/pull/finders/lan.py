"""`LanFinder`: peers on the local network that announce to have the refs.

Announcements say by a Bloom filter which refs a peer may have; the summaries of those that may are
fetched, all at once, to see what they really have. Peers are strangers: what they say leads to
nothing but a pull whose commits must be signed by a key that is configured here, and one that lies,
drips or never answers costs its place among a bounded number, never the time of the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import NamedTuple

from pyostree.closing import Closing
from pyostree.errors import FormatError, OstreeError, describe
from pyostree.formats.bloom import RefHashes
from pyostree.formats.lan_record import decode_lan_record
from pyostree.formats.refspec import CollectionRef
from pyostree.formats.summary import (
    COLLECTION_ID,
    COLLECTION_MAP,
    EXPIRES,
    LAST_MODIFIED,
    Summary,
    SummaryRef,
    collection_map,
)
from pyostree.pull.finders.base import FinderResult, Search
from pyostree.pull.finders.dns_sd import Announcement, browse
from pyostree.pull.remote_summary import read_remote_summary
from pyostree.remote.dynamic import dynamic_remote
from pyostree.remote.fetch import FetchRequest, FetchSettings
from pyostree.remote.urls import parse_base_url
from pyostree.watch import Watch

PRIORITY = 60

_MAX_PEERS = 256
_MAX_PEERS_PER_HOST = 4
_MAX_SUMMARY_BYTES = 16 << 20
_AT_ONCE = 64
_CONNECT_TIMEOUT_S = 3
_LOW_SPEED_S = 3
_TICK_S = 0.02
_LAST_SECOND = 253402300799  # of the year 9999
_SUMMARY = "summary"
_KEPT_KEYS = (COLLECTION_ID, LAST_MODIFIED, EXPIRES)

_log = logging.getLogger(__name__)

Browse = Callable[[float, Watch], Sequence[Announcement]]


class Peer(NamedTuple):
    """A repository on the network that may have some of the refs.

    Attributes:
        urls: ways to reach it, the best first.
        last_modified: when its summary was made, as it says; 0 when unknown.
    """

    urls: tuple[str, ...]
    last_modified: int
    refs: tuple[CollectionRef, ...]


class LanFinder:
    """Finds repositories that are announced by DNS-SD as ``_ostree_repo._tcp``.

    Args:
        browse: asks the network, within a number of seconds.
    """

    name = "OstreeRepoFinderAvahi"

    def __init__(self, browse: Browse | None = None) -> None:
        self._browse = _browse if browse is None else browse

    def find(self, search: Search) -> Sequence[FinderResult]:
        """Return the repositories that have some of the refs (see `pyostree.pull.finders.base`).

        Raises:
            UnsupportedError: `zeroconf` is not installed.
            NotFoundError: this machine has no network.
            OSError: the port of multicast DNS cannot be shared.
        """
        keyrings = search.keyrings()
        wanted = [ref for ref in search.refs if ref.collection_id in keyrings]
        if not wanted:  # nothing of what peers have could be trusted
            return []
        deadline_s = time.monotonic() + search.timeout_s
        announcements = self._browse(search.timeout_s, search.watch)
        peers = select_peers(announcements, wanted)
        results: list[FinderResult] = []
        for peer, url, data in _fetch_summaries(search, peers, deadline_s):
            try:
                results += _results(peer, url, data, keyrings)
            except OstreeError as err:
                _log.debug("ignoring the summary of %s: %s", url, describe(err))
        return results


def select_peers(
    announcements: Iterable[Announcement], wanted: Iterable[CollectionRef]
) -> list[Peer]:
    """Return the peers that say to have some of the refs, at most 256, and 4 of each host."""
    hashes = RefHashes(wanted)
    by_host: dict[str, dict[tuple[str, ...], Peer]] = {}
    for announcement in announcements:
        if not announcement.hosts:
            continue
        peers = by_host.setdefault(announcement.hosts[0], {})
        if len(peers) == _MAX_PEERS_PER_HOST:
            continue
        try:
            record = decode_lan_record(announcement.text)
        except FormatError as err:
            _log.debug("ignoring service %r: %s", announcement.name, err)
            continue
        if refs := hashes.select(record.refs):
            place = f"{announcement.port}/{record.number}"
            urls = tuple(f"http://{host}:{place}" for host in announcement.hosts)
            when = record.summary_modified if record.summary_modified <= _LAST_SECOND else 0
            peers.setdefault(urls, Peer(urls, when, tuple(refs)))
    return _take_turns([list(peers.values()) for peers in by_host.values()])


def _take_turns(groups: Iterable[Sequence[Peer]]) -> list[Peer]:
    """Return peers of all hosts in turn, so that one with many does not push the others out."""
    ranked = [(rank, peer) for group in groups for rank, peer in enumerate(group)]
    ranked.sort(key=lambda item: item[0])
    return [peer for _, peer in ranked[:_MAX_PEERS]]


def _browse(timeout_s: float, watch: Watch) -> Sequence[Announcement]:
    return browse(timeout_s=timeout_s, watch=watch)


def _settings(search: Search) -> FetchSettings:
    return FetchSettings(
        headers=search.fetch.headers,
        retries=0,
        follow_redirects=False,  # no stranger is to choose whom we talk to
        connect_timeout_s=_CONNECT_TIMEOUT_S,
        low_speed_s=_LOW_SPEED_S,
        compressed=True,
        verbose=search.fetch.verbose,
    )


def _fetch_summaries(
    search: Search, peers: Iterable[Peer], deadline_s: float
) -> Iterator[tuple[Peer, str, bytes]]:
    """Yield summaries as they come, with where from, until all have or the time is over."""
    waiting = iter(peers)
    with ExitStack() as open_visits:
        visits: list[_Visit] = []
        while time.monotonic() < deadline_s:
            search.watch.check()
            for peer in islice(waiting, _AT_ONCE - len(visits)):
                visits.append(open_visits.enter_context(_Visit(search, peer)))
            if not visits:
                return
            for visit in visits:
                # To read a large one takes its time.
                if (data := visit.step()) is not None and time.monotonic() < deadline_s:
                    yield visit.peer, visit.url, data
            visits = [visit for visit in visits if not visit.has_ended]
            time.sleep(_TICK_S if visits else 0)
        _log.debug("%d peers did not answer in time", len(visits))


class _Visit(Closing):
    """The fetch of one peer's summary.

    Each has a fetcher of its own, since those adapt to what servers can take, wait when one asks
    for it and have a limited number of connections: no stranger is to decide that for the others.
    """

    def __init__(self, search: Search, peer: Peer) -> None:
        from pyostree.remote.curl import open_fetcher  # libcurl takes its time to load

        self.peer = peer
        self.has_ended = False
        self._attempt = 0
        self._fetcher = open_fetcher(_settings(search), search.repo.tmp)
        self._submit()

    @property
    def url(self) -> str:
        """Where it looks now."""
        return self.peer.urls[self._attempt]

    def step(self) -> bytes | None:
        """Go on with what has arrived; return the summary once it has come whole."""
        for completed in () if self.has_ended else self._fetcher.poll(0):
            if completed.body is not None:
                with completed.body as body:
                    data = body.read()
                self.close()
                return data
            _log.debug("peer %s: %s", completed.url, completed.error)
            self._attempt += 1
            if self._attempt == len(self.peer.urls):
                self.close()
            else:
                self._submit()
        return None

    def close(self) -> None:
        """Hang up."""
        if not self.has_ended:
            self.has_ended = True
            self._fetcher.close()

    def _submit(self) -> None:
        self._fetcher.submit(
            FetchRequest(_SUMMARY, (parse_base_url(self.url),), _MAX_SUMMARY_BYTES)
        )


def _results(peer: Peer, url: str, data: bytes, keyrings: Mapping[str, str]) -> list[FinderResult]:
    """Return what a peer has, by collection, since each has keys of its own."""
    summary = read_remote_summary(data).content
    entries = _wanted_entries(summary, frozenset(peer.refs))
    if not entries:
        _log.debug("%s has none of the refs", url)
        return []
    excerpt = _excerpt(summary, entries)
    results = []
    for collection_id in dict.fromkeys(ref.collection_id for ref in entries):
        assert collection_id is not None
        own = {ref: entry for ref, entry in entries.items() if ref.collection_id == collection_id}
        times = {ref: entry.timestamp for ref, entry in own.items()}
        results.append(
            FinderResult(
                remote=dynamic_remote(url, keyrings[collection_id], collection_id),
                finder=LanFinder.name,
                priority=PRIORITY,
                refs={ref: entry.checksum for ref, entry in own.items()},
                timestamps={ref: when for ref, when in times.items() if when is not None},
                last_modified=peer.last_modified,
                summary=excerpt,
            )
        )
    return results


def _wanted_entries(
    summary: Summary, wanted: frozenset[CollectionRef]
) -> dict[CollectionRef, SummaryRef]:
    found: dict[CollectionRef, SummaryRef] = {}
    for collection_id, refs in summary.collections():
        for entry in refs:
            ref = CollectionRef(collection_id, entry.name)
            if ref in wanted:
                found.setdefault(ref, entry)
    return found


def _excerpt(summary: Summary, entries: Mapping[CollectionRef, SummaryRef]) -> Summary:
    """Return the summary with nothing but the wanted refs: those of many peers stay in memory."""
    by_collection: dict[str | None, list[SummaryRef]] = {}
    for ref, entry in entries.items():
        by_collection.setdefault(ref.collection_id, []).append(entry)
    main = tuple(by_collection.pop(summary.collection_id, ()))
    metadata = [(key, value) for key, value in summary.metadata if key in _KEPT_KEYS]
    others = [(key, tuple(refs)) for key, refs in by_collection.items() if key is not None]
    if others:
        metadata.append((COLLECTION_MAP, collection_map(others)))
    return Summary(main, tuple(metadata))
