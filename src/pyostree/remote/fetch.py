"""`Fetcher`: many downloads at once, driven by one loop; what it takes and what it gives.

An error of a download is a value, `Completed.error`, so that a pull can decide what it means; only
`fetch_bytes` raises it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from pyostree.closing import Closing
from pyostree.errors import FetchError, FetchNotFoundError
from pyostree.fs.tempfile import TempFile
from pyostree.remote.urls import BaseUrl

USER_AGENT = "libostree/2026.5"
DEFAULT_RETRIES = 5
DEFAULT_IN_FLIGHT = 8  # to begin with
MEMORY_BYTES = 1 << 20  # a body beyond this goes to a temporary file
_CHUNK_BYTES = 1 << 20
_POLL_S = 60.0


class FetchSettings(NamedTuple):
    """How to talk to the servers of one remote.

    Attributes:
        retry_all: whether every network error is worth another attempt.
        low_speed_bytes: a transfer slower than this per second for `low_speed_s` has failed.
        max_in_flight: requests at once; None: as many as the server answers quickly.
        max_bytes_per_s: limit over all requests together; None for none.
        follow_redirects: whether the server may send us elsewhere.
        http3: whether HTTP/3 is tried; where it does not work, another version is used.
        compressed: whether the server may compress what it sends.
        tls_permissive: whether any certificate will do.
        tls_ca_path: PEM file in place of the system's certificate authorities.
        cookies_path: file in Netscape format.
        verbose: whether the library tells on stderr what it does.
        remote: its name, for the journal; None keeps failures out of that.
    """

    user_agent: str = USER_AGENT
    headers: tuple[tuple[str, str], ...] = ()
    retries: int = DEFAULT_RETRIES
    retry_all: bool = True
    max_in_flight: int | None = None
    max_bytes_per_s: int | None = None
    connect_timeout_s: int = 30
    low_speed_bytes: int = 1000
    low_speed_s: int = 30
    http2: bool = True
    http3: bool = False
    follow_redirects: bool = True
    compressed: bool = False
    proxy: str | None = None
    tls_permissive: bool = False
    tls_ca_path: str | None = None
    tls_client_cert_path: str | None = None
    tls_client_key_path: str | None = None
    cookies_path: str | None = None
    verbose: bool = False
    remote: str | None = None


class Validators(NamedTuple):
    """What a server said about the version of a file.

    Attributes:
        etag: verbatim, with its quotes.
        last_modified: seconds since 1970 UTC; 0 when unknown.
    """

    etag: str | None = None
    last_modified: int = 0


class FetchRequest(NamedTuple):
    """One file to get.

    Attributes:
        path: relative to the bases; empty for the base itself.
        bases: mirrors; the next one is asked when one answers with an HTTP error.
        max_bytes: limit of the body, kept while it arrives; 0 for none.
        priority: lower is sooner.
        validators: of a copy we have; the answer may then be "not modified".
        keep_validators: whether the answer's are wanted.
        optional: whether it is normal that the file is missing.
        tag: for the caller.
        immutable: whether its name fixes its content, which the caller checks: a body that broke
            off is then continued without asking whether the file is still the same.
        keep_as: name in the temporary directory under which a large body lies until it is closed,
            so that the next process can continue it; only for what is immutable.
        limit_from: given the beginning of a large body, returns the most that it may have; raises
            `FormatError` when no such file begins so.
        check_space: called every few megabytes of a body that goes to a file, with those that may
            come next; raises `FreeSpaceError` when they do not fit.
        leaves_unreachable: whether a server that cannot be reached is not tried again, since the
            caller knows others.
    """

    path: str
    bases: tuple[BaseUrl, ...]
    max_bytes: int = 0
    priority: int = 0
    validators: Validators | None = None
    keep_validators: bool = False
    optional: bool = False
    tag: object = None
    immutable: bool = False
    keep_as: str | None = None
    limit_from: Callable[[bytes], int] | None = None
    check_space: Callable[[int], None] | None = None
    leaves_unreachable: bool = False


class Body(Closing):
    """Content of an answer: in memory, or when large in a file that goes with it.

    Attributes:
        was_continued: it was put together from several answers, of several servers perhaps, which
            need not have the same file.
    """

    __slots__ = ("_data", "_file", "size", "was_continued")

    def __init__(self, data: bytes, file: TempFile | None = None, size: int | None = None) -> None:
        self._data = data
        self._file = file
        self.size = len(data) if size is None else size
        self.was_continued = False

    @property
    def in_memory(self) -> bool:
        """Whether `read` costs nothing."""
        return self._file is None

    def read(self) -> bytes:
        """Return everything; for a large body prefer `chunks`."""
        return self._data if self._file is None else b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """Yield the content from its start, in pieces of at most 1 MiB when it is in a file."""
        if self._file is None:
            yield self._data
            return
        position = 0
        while position < self.size:
            chunk = self._file.read_at(position, _CHUNK_BYTES)
            if not chunk:
                raise FetchError("a downloaded file became shorter")
            position += len(chunk)
            yield chunk

    def fileno(self) -> int:
        """Return the descriptor of the file that it is in."""
        if self._file is None:
            raise ValueError("the content is in memory")
        return self._file.fd

    def close(self) -> None:
        """Let go of the content."""
        self._data = b""
        if self._file is not None:
            self._file.discard()


class Completed(NamedTuple):
    """How a request ended.

    Attributes:
        url: asked last, without password.
        body: None on error or when not modified; to be closed by who gets it.
    """

    request: FetchRequest
    url: str
    body: Body | None = None
    error: FetchError | None = None
    not_modified: bool = False
    validators: Validators = Validators()

    @property
    def missing(self) -> bool:
        """Whether the server does not have the file, or does not give it to us."""
        return isinstance(self.error, FetchNotFoundError)


class Fetcher(Protocol):
    """Downloads many files at once."""

    def submit(self, request: FetchRequest) -> None:
        """Queue a request; it starts in the next `poll` with room for it."""

    def poll(self, timeout_s: float) -> list[Completed]:
        """Run the transfers until one has ended or the time is over; give all that ended."""

    @property
    def pending(self) -> int:
        """How many requests were submitted and not yet given back."""

    @property
    def bytes_transferred(self) -> int:
        """Sum of all that arrived of bodies, whole or not yet."""

    def cancel_all(self) -> None:
        """Forget all requests."""

    def close(self) -> None:
        """Cancel everything and close all connections."""


def fetch_one(fetcher: Fetcher, request: FetchRequest) -> Completed:
    """Get one file with a fetcher that has nothing else to do."""
    fetcher.submit(request)
    while True:
        for completed in fetcher.poll(_POLL_S):
            return completed


def fetch_together(fetcher: Fetcher, requests: Sequence[FetchRequest]) -> list[Completed]:
    """Get several files at once with a fetcher that has nothing else to do; in that order."""
    for number, request in enumerate(requests):
        fetcher.submit(request._replace(tag=number))
    arrived: dict[object, Completed] = {}
    while len(arrived) < len(requests):
        for completed in fetcher.poll(_POLL_S):
            arrived[completed.request.tag] = completed
    return [arrived[number] for number in range(len(requests))]


def fetch_body(fetcher: Fetcher, request: FetchRequest) -> Body | None:
    """Return an open body, None when the file is missing and `request.optional`.

    Raises:
        FetchError: it could not be got.
    """
    completed = fetch_one(fetcher, request)
    if completed.error is not None:
        if completed.missing and request.optional:
            return None
        raise completed.error
    return completed.body


def fetch_bytes(fetcher: Fetcher, request: FetchRequest) -> bytes | None:
    """Return the content of a small file, None when it is missing and `request.optional`.

    Raises:
        FetchError: it could not be got.
    """
    body = fetch_body(fetcher, request)
    if body is None:
        return None
    with body:
        return body.read()
