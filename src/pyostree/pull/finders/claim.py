"""`Candidate`, who may have refs, and `Claim`, that a ref is at a commit."""

from __future__ import annotations

import logging
import threading
import time

from pyostree.formats.objects import Checksum
from pyostree.formats.refspec import CollectionRef
from pyostree.pull.finders.base import FinderResult
from pyostree.pull.finders.offers import Offer

_log = logging.getLogger(__name__)


class Candidate:
    """A repository that may have some of the refs; dropped when it turns out to say the untruth."""

    __slots__ = ("is_dropped", "offer", "result")

    def __init__(self, result: FinderResult, offer: Offer) -> None:
        self.result = result
        self.offer = offer
        self.is_dropped = False

    @property
    def is_peer(self) -> bool:
        """Whether nobody here has configured it."""
        return not isinstance(self.result.remote, str)

    def drop(self, why: str) -> None:
        """Do not use it any more."""
        _log.debug("Ignoring remote ‘%s’: %s", self.result.name, why)
        self.is_dropped = True


class Claim:
    """That a ref is at a commit.

    Attributes:
        candidates: who says so, the best first.
        failed: those of them who could not prove it.
        timestamp: when the commit was made, once that is proven.
    """

    __slots__ = ("_proven", "candidates", "commit", "failed", "ref", "timestamp")

    def __init__(self, ref: CollectionRef, commit: Checksum) -> None:
        self.ref = ref
        self.commit = commit
        self.candidates: list[Candidate] = []
        self.failed: list[Candidate] = []
        self.timestamp: int | None = None
        self._proven = threading.Event()

    @property
    def is_proven(self) -> bool:
        """Whether it is true."""
        return self._proven.is_set()

    def prove(self, timestamp: int) -> None:
        """Note when the commit was made."""
        self.timestamp = timestamp
        self._proven.set()

    def wait(self, end_s: float) -> bool:
        """Wait until the claim is proven, or until a time; tell whether it is."""
        return self._proven.wait(max(0.0, end_s - time.monotonic()))
