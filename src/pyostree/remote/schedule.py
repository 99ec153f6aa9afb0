"""`Schedule`: requests that wait for their turn, by priority or, after a failure, by the clock."""

from __future__ import annotations

import heapq
import time

from pyostree.remote.fetch import FetchRequest
from pyostree.remote.transfer import Transfer


class Schedule:
    """What is not under way.

    Attributes:
        queue: requests that can start, as a heap; only to be looked at from outside.
    """

    __slots__ = ("_later", "_pause_until_s", "_submitted", "queue")

    def __init__(self) -> None:
        self.queue: list[tuple[int, int, FetchRequest]] = []
        self._later: list[tuple[float, int, Transfer]] = []
        self._pause_until_s = 0.0
        self._submitted = 0

    def __len__(self) -> int:
        return len(self.queue) + len(self._later)

    def add(self, request: FetchRequest) -> None:
        """Queue a request by its priority."""
        self._submitted += 1
        heapq.heappush(self.queue, (request.priority, self._submitted, request))

    def add_later(self, transfer: Transfer, wait_s: float, *, pauses: bool) -> None:
        """Let a transfer try again after a time.

        Args:
            pauses: nothing else starts before.
        """
        until_s = time.monotonic() + wait_s
        if pauses:
            self._pause_until_s = until_s
        self._submitted += 1
        heapq.heappush(self._later, (until_s, self._submitted, transfer))

    def take(self) -> FetchRequest | Transfer | None:
        """Return what starts next; None when nothing may start now."""
        if self._later:
            now_s = time.monotonic()
            if now_s < self._pause_until_s:
                return None
            if self._later[0][0] <= now_s:
                return heapq.heappop(self._later)[2]
        return heapq.heappop(self.queue)[2] if self.queue else None

    def wait_s(self, now_s: float) -> float | None:
        """Return how long until a time comes that somebody waits for; None when nobody does."""
        if not self._later:
            return None
        until_s = max(self._later[0][0], self._pause_until_s)
        return until_s - now_s if until_s > now_s else None

    def clear(self) -> list[Transfer]:
        """Forget everything; return the transfers that waited."""
        transfers = [transfer for _, _, transfer in self._later]
        self.queue.clear()
        self._later.clear()
        return transfers
