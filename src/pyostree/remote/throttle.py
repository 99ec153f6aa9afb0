"""`Throttle`: a limit of bytes per second over all transfers together.

It lets bytes pass first and makes them be paid for with waiting: while nothing is read, the
kernel's buffers fill and the sender slows down by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pyostree.remote.fetch import FetchSettings

# Each request gets so much in a second, so that it makes progress.
_SHARE_BYTES = 32 << 10
_CREDIT_S = 0.25  # of the time that passed unused, so that a pause is no licence for a flood


class Throttle:
    """Paid time by `clock`; `bytes_per_s` is positive."""

    __slots__ = ("_clock", "_paid_s", "_rate")

    def __init__(self, bytes_per_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = bytes_per_s
        self._clock = clock
        self._paid_s = clock()

    def spend(self, count: int) -> None:
        """Note that `count` bytes were read."""
        self._paid_s = max(self._paid_s, self._clock() - _CREDIT_S) + count / self._rate

    def wait_s(self) -> float:
        """Return how long nothing may be read from now on."""
        return max(self._paid_s - self._clock(), 0.0)


def gentle_settings(settings: FetchSettings, bytes_per_s: int) -> FetchSettings:
    """Return settings by which what is slow on purpose is not taken for a failure."""
    share = max(bytes_per_s // _SHARE_BYTES, 1)
    return settings._replace(
        low_speed_bytes=min(settings.low_speed_bytes, bytes_per_s // 4),
        max_in_flight=min(settings.max_in_flight or share, share),
    )
