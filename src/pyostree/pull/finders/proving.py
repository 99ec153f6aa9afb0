"""Asking those who list a commit for it, until one of them proves when it was made.

Many of those asked may be strangers who never answer, or would keep us busy for ever. All are asked
side by side, each thread with one of them at a time; who fails once is not asked again, and nobody
gets more than a part of the time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from pyostree.errors import CancelledError, OstreeError, describe
from pyostree.pull.finders.base import Search, TimeLimit
from pyostree.pull.finders.claim import Candidate, Claim
from pyostree.pull.finders.proof import prove_timestamp
from pyostree.repo.parallel import run_with_deadline
from pyostree.watch import Watch

_MAX_PEERS_AT_ONCE = 128
_MAX_REMOTES_AT_ONCE = 8
# Of the time of a search: even peers that are twice as many as the threads all have their turn.
_SHARE_OF_ONE = 0.3
# Between asking one and asking another for the same, while the first may be about to answer.
_STEP_S = 0.02
_MAX_DELAY_S = 1.0
_log = logging.getLogger(__name__)


class _Needed(Watch):
    """Lets one try go on for as long as it has time, and nobody else was quicker."""

    __slots__ = ("_claim", "_limit")

    def __init__(self, claim: Claim, limit: Watch) -> None:
        self._claim = claim
        self._limit = limit

    def check(self) -> None:
        """Stop here if it is no longer needed."""
        self._limit.check()
        if self._claim.is_proven:
            raise CancelledError("another one was quicker")


def prove_claims(search: Search, claims: Sequence[Claim]) -> None:
    """Find out which claims are true, peers within the time of the search.

    Raises:
        CancelledError: the search's watch wishes so.
    """
    proving = _Proving(search)
    peers: list[Callable[[], None]] = []
    remotes: list[Callable[[], None]] = []
    for candidate, own in _by_candidate(claims):
        (peers if candidate.is_peer else remotes).append(partial(proving.ask, candidate, own))
    watch = search.watch
    limit_s = search.timeout_s
    run_with_deadline(
        [
            partial(
                run_with_deadline,
                peers,
                threads=_MAX_PEERS_AT_ONCE,
                timeout_s=limit_s,
                watch=watch,
            ),
            # The fetcher gives up on servers that do not answer.
            partial(run_with_deadline, remotes, threads=_MAX_REMOTES_AT_ONCE, watch=watch),
        ],
        threads=2,
        watch=watch,
    )


def _by_candidate(claims: Sequence[Claim]) -> list[tuple[Candidate, list[Claim]]]:
    found: dict[int, tuple[Candidate, list[Claim]]] = {}
    for claim in claims:
        for candidate in claim.candidates:
            found.setdefault(id(candidate), (candidate, []))[1].append(claim)
    return list(found.values())


class _Proving:
    """One search for proofs.

    What arrives is read and verified by one thread at a time, for its memory.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._turn = threading.Lock()
        self._start_s = time.monotonic()

    def ask(self, candidate: Candidate, claims: Sequence[Claim]) -> None:
        """Let a candidate prove what it claims, until it fails."""
        for claim in claims:
            delay_s = min(_MAX_DELAY_S, _STEP_S * claim.candidates.index(candidate))
            if claim.wait(self._start_s + delay_s):
                continue
            if not self._try(candidate, claim):
                return

    def _try(self, candidate: Candidate, claim: Claim) -> bool:
        search = self._search
        limit = search.watch
        if candidate.is_peer:
            limit = TimeLimit(limit, search.timeout_s * _SHARE_OF_ONE)
        own = search._replace(watch=_Needed(claim, limit))
        try:
            remote = candidate.result.remote
            claim.prove(prove_timestamp(own, remote, claim.ref, claim.commit, self._turn))
        except (OstreeError, OSError) as err:
            if claim.is_proven:
                return True
            _log.debug(
                "‘%s’ has no good commit of %s: %s",
                *(candidate.result.name, claim.ref, describe(err)),
            )
            claim.failed.append(candidate)
            return False
        return True
