"""Fetching the summaries of many peers at once, none of which can be relied on."""

from __future__ import annotations

import logging
import time
from bisect import insort
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import NamedTuple

from pyostree.closing import Closing
from pyostree.formats.refspec import CollectionRef
from pyostree.pull.finders.base import Search
from pyostree.pull.finders.offers import MAX_PEER_SUMMARY_BYTES
from pyostree.remote.fetch import Body, FetchRequest, FetchSettings
from pyostree.remote.urls import parse_base_url

_MAX_ARRIVED = 32
_AT_ONCE = 64
_CONNECT_TIMEOUT_S = 3
_LOW_SPEED_S = 3
_TICK_S = 0.02
_SUMMARY = "summary"

_log = logging.getLogger(__name__)


class Peer(NamedTuple):
    """A repository on the network that may have some of the refs.

    Attributes:
        urls: ways to reach it, the best first.
        last_modified: when its summary was made, as it says; 0 when unknown.
    """

    urls: tuple[str, ...]
    last_modified: int
    refs: tuple[CollectionRef, ...]


def fetch_summaries(
    search: Search, peers: Iterable[Peer], deadline_s: float
) -> Iterator[tuple[Peer, str, bytes]]:
    """Yield summaries, with where from, until all have come or the time is over.

    To read a large one takes its time, so that smaller ones which have come go first.
    """
    waiting = iter(peers)
    with ExitStack() as opened:
        visits: list[_Visit] = []
        arrived = opened.enter_context(_Arrived())
        while time.monotonic() < deadline_s:
            search.watch.check()
            for peer in islice(waiting, _AT_ONCE - len(visits)):
                visits.append(opened.enter_context(_Visit(search, peer)))
            for visit in visits:
                if (body := visit.step()) is not None:
                    arrived.add(visit, body)
            visits = [visit for visit in visits if not visit.has_ended]
            if (found := arrived.take()) is not None:
                visit, data = found
                yield visit.peer, visit.url, data
            elif not visits:
                return
            else:
                time.sleep(_TICK_S)
        _log.debug("%d peers did not answer in time", len(visits))


class _Arrived(Closing):
    """Summaries that nobody has read yet; of very many the largest are dropped."""

    def __init__(self) -> None:
        self._bodies: list[tuple[int, int, _Visit, Body]] = []  # sorted
        self._count = 0

    def add(self, visit: _Visit, body: Body) -> None:
        """Take one in."""
        self._count += 1
        insort(self._bodies, (body.size, self._count, visit, body))
        if len(self._bodies) > _MAX_ARRIVED:
            _, _, dropped, largest = self._bodies.pop()
            largest.close()
            _log.debug("ignoring the summary of %s: others are smaller", dropped.url)

    def take(self) -> tuple[_Visit, bytes] | None:
        """Give the smallest away; None when there is none."""
        if not self._bodies:
            return None
        _, _, visit, body = self._bodies.pop(0)
        with body:
            return visit, body.read()

    def close(self) -> None:
        """Let go of all."""
        for _, _, _, body in self._bodies:
            body.close()


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

    def step(self) -> Body | None:
        """Go on with what has arrived; return the summary once it has come whole, to be closed."""
        for completed in () if self.has_ended else self._fetcher.poll(0):
            if completed.body is not None:
                self.close()
                return completed.body
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
            FetchRequest(_SUMMARY, (parse_base_url(self.url),), MAX_PEER_SUMMARY_BYTES)
        )


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
