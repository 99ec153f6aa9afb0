"""`LanFinder`: peers on the local network that announce to have the refs.

Announcements say by a Bloom filter which refs a peer may have; the summaries of those that may are
fetched, all at once, to see what they really have. Peers are strangers: what they say leads to
nothing but a pull whose commits must be signed by a key that is configured here, and one that lies,
drips or never answers costs its place among a bounded number, never the time of the others.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

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
from pyostree.formats.summary_index import SummaryIndex
from pyostree.pull.finders.base import FinderResult, Search
from pyostree.pull.finders.dns_sd import Announcement, browse
from pyostree.pull.finders.lan_summaries import Peer, fetch_summaries
from pyostree.pull.remote_summary import read_remote_summary
from pyostree.remote.dynamic import dynamic_remote
from pyostree.watch import Watch

PRIORITY = 60

_MAX_PEERS = 256
_MAX_PEERS_PER_HOST = 16
_MAX_PEERS_PER_PORT = 4
_LAST_SECOND = 253402300799  # of the year 9999
_KEPT_KEYS = (COLLECTION_ID, LAST_MODIFIED, EXPIRES)

_log = logging.getLogger(__name__)

Browse = Callable[[float, Watch], Sequence[Announcement]]


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
        for peer, url, data in fetch_summaries(search, peers, deadline_s):
            try:
                results += _results(peer, url, data, keyrings)
            except OstreeError as err:
                _log.debug("ignoring the summary of %s: %s", url, describe(err))
        return results


def select_peers(
    announcements: Iterable[Announcement], wanted: Iterable[CollectionRef]
) -> list[Peer]:
    """Return the peers that say to have some of the refs, at most 256.

    Of each address there are at most 16, and 4 of each of its ports. Whose address it is nobody
    can tell: an announcement by somebody else, at another port, takes no place of the right one.
    """
    hashes = RefHashes(wanted)
    per_port: Counter[tuple[str, int]] = Counter()
    by_host: dict[str, dict[tuple[str, ...], Peer]] = {}
    for announcement in announcements:
        if not announcement.hosts:
            continue
        place = (announcement.hosts[0], announcement.port)
        peers = by_host.setdefault(announcement.hosts[0], {})
        if len(peers) == _MAX_PEERS_PER_HOST or per_port[place] == _MAX_PEERS_PER_PORT:
            continue
        try:
            record = decode_lan_record(announcement.text)
        except FormatError as err:
            _log.debug("ignoring service %r: %s", announcement.name, err)
            continue
        if refs := hashes.select(record.refs):
            end = f"{announcement.port}/{record.number}"
            urls = tuple(f"http://{host}:{end}" for host in announcement.hosts)
            when = record.summary_modified if record.summary_modified <= _LAST_SECOND else 0
            if urls not in peers:
                peers[urls] = Peer(urls, when, tuple(refs))
                per_port[place] += 1
    return _take_turns([list(peers.values()) for peers in by_host.values()])


def _take_turns(groups: Iterable[Sequence[Peer]]) -> list[Peer]:
    """Return peers of all hosts in turn, so that one with many does not push the others out."""
    ranked = [(rank, peer) for group in groups for rank, peer in enumerate(group)]
    ranked.sort(key=lambda item: item[0])
    return [peer for _, peer in ranked[:_MAX_PEERS]]


def _browse(timeout_s: float, watch: Watch) -> Sequence[Announcement]:
    return browse(timeout_s=timeout_s, watch=watch)


def _results(peer: Peer, url: str, data: bytes, keyrings: Mapping[str, str]) -> list[FinderResult]:
    """Return what a peer has, by collection, since each has keys of its own."""
    summary = read_remote_summary(data).entries
    entries = {
        ref: entry
        for ref in peer.refs
        if (entry := summary.find(ref.ref, ref.collection_id)) is not None
    }
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


def _excerpt(summary: SummaryIndex, entries: Mapping[CollectionRef, SummaryRef]) -> Summary:
    """Return the summary with nothing but the wanted refs: those of many peers stay in memory."""
    by_collection: dict[str | None, list[SummaryRef]] = {}
    for ref, entry in entries.items():
        by_collection.setdefault(ref.collection_id, []).append(entry)
    main = tuple(by_collection.pop(summary.collection_id, ()))
    kept = ((key, summary.lookup(key)) for key in _KEPT_KEYS)
    metadata = [(key, value) for key, value in kept if value is not None]
    others = [(key, tuple(refs)) for key, refs in by_collection.items() if key is not None]
    if others:
        metadata.append((COLLECTION_MAP, collection_map(others)))
    return Summary(main, tuple(metadata))
