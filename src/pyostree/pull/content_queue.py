"""Content that is wanted, held back until it is known how much there is.

The scan needs every round trip that it can get, and people want to know what they wait for: the
content of a commit is asked for once its tree was read, or at once when the commit lists the sizes
of its objects (``ostree.sizes``). The fetcher gets no more requests than keep it busy, since a
request takes more memory than the checksum that waits here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.pull.body_limit import max_archived_bytes, promised_bytes
from pyostree.remote.fetch import Fetcher, FetchRequest
from pyostree.remote.urls import BaseUrl
from pyostree.repo.repo import Repo

_PRIORITY = 0
_FIRST_WINDOW = 256  # requests with the fetcher, waiting or under way
_MAX_WINDOW = 1024
_MIN_WINDOW = 32
# What all bodies of the window together may take, by the average so far.
_WINDOW_BYTES = 64 << 20
_FAIR_SAMPLE = 64


class ContentQueue:
    """The files that a pull has still to ask for.

    Attributes:
        is_released: whether they may be asked for now.
    """

    def __init__(self, fetcher: Fetcher, bases: tuple[BaseUrl, ...], repo: Repo) -> None:
        self._fetcher = fetcher
        self._bases = bases
        self._check_space = repo.store.check_space
        self._kept_prefix = f"fetch-{repo.boot_id}-"
        self._waiting: deque[Checksum] = deque()
        self._arrived = 0
        self._arrived_bytes = 0
        self.is_released = False

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Checksum]:
        return iter(self._waiting)

    def add(self, checksum: Checksum) -> None:
        """Ask for a file when its time comes."""
        self._waiting.append(checksum)

    def note_arrival(self, size_bytes: int) -> None:
        """Note how large a body was."""
        self._arrived += 1
        self._arrived_bytes += size_bytes

    def feed(self) -> None:
        """Hand requests to the fetcher, as many as it has use for."""
        if not self.is_released:
            return
        for _ in range(min(self._window() - self._fetcher.pending, len(self._waiting))):
            self._fetcher.submit(self._request(self._waiting.popleft()))

    def _window(self) -> int:
        if self._arrived < _FAIR_SAMPLE:
            return _FIRST_WINDOW
        average = self._arrived_bytes // self._arrived + 1
        return min(max(_WINDOW_BYTES // average, _MIN_WINDOW), _MAX_WINDOW)

    def _request(self, checksum: Checksum) -> FetchRequest:
        digits = checksum.hex()
        return FetchRequest(
            f"objects/{digits[:2]}/{digits[2:]}.filez",
            self._bases,
            priority=_PRIORITY,
            tag=ObjectName(checksum, ObjectType.FILE),
            immutable=True,
            keep_as=f"{self._kept_prefix}{digits}.filez",
            limit_from=self._limit,
            check_space=self._check_space,
        )

    def _limit(self, start: bytes) -> int:
        limit = max_archived_bytes(start)
        self._check_space(promised_bytes(start))  # before it is fetched, not after
        return limit
