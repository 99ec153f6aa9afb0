"""`WatchedFetcher`: downloads that end when the caller asks to stop."""

from __future__ import annotations

from pyostree.remote.fetch import Completed, Fetcher, FetchRequest
from pyostree.watch import Watch

_POLL_S = 0.25


class WatchedFetcher:
    """Passes everything on to a fetcher, and looks after each wait whether to go on.

    For those who wait in the middle of something, such as for a summary; a running pull looks
    by itself.
    """

    def __init__(self, fetcher: Fetcher, watch: Watch) -> None:
        self._fetcher = fetcher
        self._watch = watch

    def submit(self, request: FetchRequest) -> None:
        """Queue a request."""
        self._fetcher.submit(request)

    def poll(self, timeout_s: float) -> list[Completed]:
        """Run the transfers.

        Raises:
            CancelledError: the caller asked to stop.
        """
        self._watch.check()
        return self._fetcher.poll(min(timeout_s, _POLL_S))

    @property
    def pending(self) -> int:
        """How many requests were submitted and not yet given back."""
        return self._fetcher.pending

    @property
    def bytes_transferred(self) -> int:
        """Sum of all that arrived of bodies."""
        return self._fetcher.bytes_transferred

    def cancel_all(self) -> None:
        """Forget all requests."""
        self._fetcher.cancel_all()

    def close(self) -> None:
        """Close all connections."""
        self._fetcher.close()
