"""`Pace`: how many requests are in flight, by what the server can take.

Over HTTP/1.1 each is a connection: their number grows while the loop only waits, as long as more of
them bring more. Over HTTP/2 and later they share one, and growth costs nothing. A server that asks
for mercy gets it: half as many at once, and growth begins again later.
"""

from __future__ import annotations

from pyostree.remote.fetch import DEFAULT_IN_FLIGHT

MAX_CONNECTIONS = 32
MAX_STREAMS = 128
# Connections to one server that multiplexes: it may allow fewer streams than we have requests.
MAX_MULTIPLEXED_CONNECTIONS = 4
# Bodies under way at once: enough for a fast and distant server, little enough for memory.
_BYTES_UNDER_WAY = 16 << 20
_MIN_WINDOW = 16  # answers from which a rate is taken
_IDLE_SHARE = 0.25  # of a window spent waiting: more requests would have found a free server
_GAIN = 1.05  # what growth must have brought to be continued
_REACTION_S = 0.25  # until it shows what less has brought
_PATIENCE = 8  # windows before growth is tried again


class Pace:
    """The number of requests in flight, `limit`, adapted to what is noted.

    Args:
        most: never more than these, nor than the protocol suggests; None for no such limit.
    """

    __slots__ = (
        "_best", "_bytes", "_done", "_fitting", "_is_multiplexed", "_most", "_patience",
        "_reacted_s", "_started_s", "_waited_s", "limit",
    )  # fmt: skip

    def __init__(self, most: int | None, now_s: float) -> None:
        self._most = MAX_STREAMS if most is None else max(most, 1)
        self._is_multiplexed = False
        self.limit = min(self._most, DEFAULT_IN_FLIGHT)
        self._fitting = MAX_STREAMS  # of bodies as large as the last ones
        self._best = (0.0, 0.0)
        self._patience = 0
        self._reacted_s = -_REACTION_S
        self._done = self._bytes = 0
        self._started_s = now_s
        self._waited_s = 0.0

    @property
    def max_connections(self) -> int:
        """How many connections to one server are allowed."""
        if self._is_multiplexed:
            return MAX_MULTIPLEXED_CONNECTIONS
        return min(MAX_CONNECTIONS, self._most)

    @property
    def _ceiling(self) -> int:
        suggested = MAX_STREAMS if self._is_multiplexed else MAX_CONNECTIONS
        return min(suggested, self._fitting, self._most)

    def note_protocol(self, *, is_multiplexed: bool) -> bool:
        """Note how the server talks; return whether that is new."""
        if is_multiplexed == self._is_multiplexed:
            return False
        self._is_multiplexed = is_multiplexed
        # More streams once it is known how large bodies are.
        self.limit = min(MAX_CONNECTIONS, self._ceiling)
        return True

    def note_wait(self, seconds: float) -> None:
        """Note that requests were waiting for a place while the loop waited for answers."""
        self._waited_s += seconds

    def note_done(self, count: int, total_bytes: int, now_s: float) -> None:
        """Note that `count` requests ended, and how many bytes have arrived altogether."""
        self._done += count
        if self._done < max(_MIN_WINDOW, self.limit):
            return
        elapsed_s = max(now_s - self._started_s, 1e-6)
        average = (total_bytes - self._bytes) // self._done
        self._fitting = max(_BYTES_UNDER_WAY // (average + 1), DEFAULT_IN_FLIGHT)
        if self.limit >= self._ceiling or (self._is_multiplexed and not self._patience):
            self.limit = self._ceiling
        else:
            rates = (self._done / elapsed_s, (total_bytes - self._bytes) / elapsed_s)
            self._consider(rates, self._waited_s / elapsed_s)
        self._done, self._bytes = 0, total_bytes
        self._started_s, self._waited_s = now_s, 0.0

    def _consider(self, rates: tuple[float, float], idle_share: float) -> None:
        if self._patience:
            self._patience -= 1
            return
        if idle_share < _IDLE_SHARE:
            return
        if any(now > best * _GAIN for now, best in zip(rates, self._best, strict=True)):
            self.limit = min(self.limit + (self.limit + 1) // 2, self._ceiling)
            self._best = (max(rates[0], self._best[0]), max(rates[1], self._best[1]))
        else:
            self._patience = _PATIENCE
            self._best = (0.0, 0.0)

    def note_trouble(self, now_s: float) -> None:
        """Note that the server has too much to do; many answers that say so at once count once."""
        if now_s < self._reacted_s + _REACTION_S:
            return
        self._reacted_s = now_s
        self.limit = max(self.limit // 2, 1)
        self._patience = _PATIENCE
        self._best = (0.0, 0.0)
