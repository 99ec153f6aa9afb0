"""`CurlFetcher`: the fetcher over libcurl's multi interface, one thread, one loop.

Easy handles are kept and reused, so that a request costs a change of URL and the connection stays
open. What is not on the wire waits in a heap by priority.
"""

from __future__ import annotations

import email.utils
import heapq
import time
from collections.abc import Callable, Sequence
from typing import Any

import pycurl

from pyostree.closing import Closing
from pyostree.errors import FetchError, FetchNotFoundError, describe
from pyostree.fs.dir import Dir
from pyostree.fs.tempfile import TempFile
from pyostree.remote.fetch import (
    MEMORY_BYTES,
    Body,
    Completed,
    FetchRequest,
    FetchSettings,
    Validators,
)
from pyostree.remote.urls import BaseUrl

_MAX_CONNECTIONS = 8
_MAX_REDIRECTS = 30
_BUFFER_BYTES = 128 << 10
_MAX_WAIT_S = 1.0
_NOT_FOUND_STATUSES = (403, 404, 410)
_ALWAYS_RETRIED_STATUSES = (408, 500)
_NOT_MODIFIED = 304
_FIRST_SUCCESS, _FIRST_REDIRECT = 200, 300
_PKCS11 = "pkcs11:"
_HTTP_DATE_LENGTH = 29
# libcurl reworded these; scripts look for the words of the reference's libcurl.
_TEXTS = {
    5: "Couldn't resolve proxy name",
    6: "Couldn't resolve host name",
    7: "Couldn't connect to server",
}
# The library is built elsewhere: where this system keeps its certificate authorities.
_CA_BUNDLES = (
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/ca-bundle.pem",
    "etc/ssl/cert.pem",
)


def open_fetcher(settings: FetchSettings, temp: Dir) -> CurlFetcher:
    """Return a fetcher; use it as a context manager.

    Args:
        temp: where large bodies lie, without a name, until they are used.
    """
    return CurlFetcher(settings, temp)


class _Transfer:
    """An easy handle with the request it works on; reused for one request after the other."""

    __slots__ = (
        "attempts_left", "chunks", "dirty", "etag", "failure", "file", "handle", "last_modified",
        "limit", "mirror", "request", "size", "too_large", "url",
    )  # fmt: skip

    def __init__(self, handle: Any) -> None:  # noqa: ANN401 - pycurl has no types
        self.handle = handle
        self.dirty = False  # whether options of one request must be undone
        self.limit = 0
        self.request: FetchRequest
        self.url: BaseUrl

    def begin(self, request: FetchRequest, attempts: int) -> None:
        """Take up `request`."""
        self.request = request
        self.attempts_left = attempts
        self.mirror = 0

    def start(self) -> None:
        """Prepare the handle for an attempt at the current mirror."""
        self.chunks: list[bytes] = []
        self.file: TempFile | None = None
        self.size = 0
        self.too_large = False
        self.failure: BaseException | None = None
        self.etag: str | None = None
        self.last_modified = 0
        self.url = self.request.bases[self.mirror].join(self.request.path)
        self.handle.setopt(pycurl.URL, self.url.secret)

    def drop_body(self) -> None:
        """Forget what arrived."""
        self.chunks = []
        if self.file is not None:
            self.file.close()
            self.file = None

    def take_body(self) -> Body:
        """Return what arrived."""
        file, self.file = self.file, None
        if file is not None:
            return Body(b"", file, self.size)
        chunks, self.chunks = self.chunks, []
        return Body(chunks[0] if len(chunks) == 1 else b"".join(chunks))

    def spool(self, temp: Dir) -> None:
        """Move what arrived to a file."""
        self.file = TempFile(temp)
        for chunk in self.chunks:
            self.file.write(chunk)
        self.chunks = []

    def note_header(self, line: bytes) -> None:
        """Keep the validators among the headers; those of a redirect are overwritten."""
        name, _, value = line.decode("latin-1").partition(":")
        match name.lower():
            case "etag":
                self.etag = value.strip()
            case "last-modified":
                self.last_modified = _parse_http_date(value.strip())
            case _ if name.startswith("HTTP/"):
                self.etag, self.last_modified = None, 0


class CurlFetcher(Closing):
    """Downloads many files at once; see `pyostree.remote.fetch.Fetcher`."""

    def __init__(self, settings: FetchSettings, temp: Dir) -> None:
        self._settings = settings
        self._temp = temp
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, _MAX_CONNECTIONS)
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._ca_bundle = settings.tls_ca_path or _find_ca_bundle()
        self._headers = [f"{name}: {value}" for name, value in settings.headers]
        self._queue: list[tuple[int, int, FetchRequest]] = []
        self._submitted = 0
        self._idle: list[_Transfer] = []
        self._active: dict[Any, _Transfer] = {}
        self._bytes = 0

    # -- Fetcher -------------------------------------------------------------------------

    def submit(self, request: FetchRequest) -> None:
        """Queue a request; it starts in the next `poll` with room for it."""
        if not request.bases:
            raise ValueError("a request needs a base URL")
        self._submitted += 1
        heapq.heappush(self._queue, (request.priority, self._submitted, request))

    def poll(self, timeout_s: float) -> list[Completed]:
        """Run the transfers until one has ended or the time is over; give all that ended."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._fill()
            if not self._active:
                return []
            self._multi.perform()
            done = self._collect()
            if done:
                self._fill()  # the server works on the next ones while the caller stores these
                self._multi.perform()
                return done
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return []
            self._multi.select(min(remaining, _MAX_WAIT_S))

    @property
    def pending(self) -> int:
        """How many requests were submitted and not yet given back."""
        return len(self._queue) + len(self._active)

    @property
    def bytes_transferred(self) -> int:
        """Sum of all bodies that arrived, whole or not."""
        return self._bytes

    def cancel_all(self) -> None:
        """Forget all requests."""
        self._queue.clear()
        for transfer in list(self._active.values()):
            transfer.drop_body()
            self._detach(transfer)
            self._idle.append(transfer)

    def close(self) -> None:
        """Cancel everything and close all connections."""
        self.cancel_all()
        for transfer in self._idle:
            transfer.handle.close()
        self._idle.clear()
        self._multi.close()

    # -- transfers -----------------------------------------------------------------------

    def _fill(self) -> None:
        while self._queue and len(self._active) < self._settings.max_in_flight:
            _, _, request = heapq.heappop(self._queue)
            transfer = self._idle.pop() if self._idle else self._new_transfer()
            transfer.begin(request, self._settings.retries)
            if transfer.dirty:
                self._undo_request_options(transfer)
            if request.validators is not None or request.keep_validators:
                self._set_request_options(transfer)
            if transfer.limit != request.max_bytes:
                transfer.limit = request.max_bytes
                transfer.handle.setopt(pycurl.MAXFILESIZE_LARGE, request.max_bytes)
            self._start(transfer)

    def _start(self, transfer: _Transfer) -> None:
        transfer.start()
        self._active[transfer.handle] = transfer
        self._multi.add_handle(transfer.handle)

    def _detach(self, transfer: _Transfer) -> None:
        del self._active[transfer.handle]
        self._multi.remove_handle(transfer.handle)

    def _collect(self) -> list[Completed]:
        done: list[Completed] = []
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read()
            for handle in succeeded:
                self._conclude(self._active[handle], 0, "", done)
            for handle, code, message in failed:
                self._conclude(self._active[handle], code, message, done)
        return done

    def _conclude(
        self, transfer: _Transfer, code: int, message: str, done: list[Completed]
    ) -> None:
        """Give the result of an attempt, or begin another one."""
        self._bytes += transfer.size
        self._detach(transfer)
        if transfer.failure is not None and not isinstance(transfer.failure, OSError):
            self.close()
            raise transfer.failure
        completed = self._judge(transfer, code, message)
        if completed is None:
            self._start(transfer)
        else:
            self._idle.append(transfer)
            done.append(completed)

    def _judge(self, transfer: _Transfer, code: int, message: str) -> Completed | None:
        """Return how the request ended; None when another attempt is to be made."""
        status = 0 if code else transfer.handle.getinfo(pycurl.RESPONSE_CODE)
        request, url = transfer.request, transfer.url.shown
        seen = Validators(transfer.etag, transfer.last_modified)
        if not code and (status == 0 or _FIRST_SUCCESS <= status < _FIRST_REDIRECT):
            return Completed(request, url, transfer.take_body(), validators=seen)
        transfer.drop_body()
        if status == _NOT_MODIFIED and request.validators is not None:
            return Completed(request, url, not_modified=True, validators=seen)
        if status and transfer.mirror + 1 < len(request.bases):
            transfer.mirror += 1
            return None
        if transfer.attempts_left and self._is_retried(transfer, code, status):
            transfer.attempts_left -= 1
            transfer.mirror = 0
            return None
        return Completed(request, url, error=_error(transfer, code, status, message))

    def _is_retried(self, transfer: _Transfer, code: int, status: int) -> bool:
        if transfer.too_large or transfer.failure is not None:
            return False
        if code in (pycurl.E_FILE_COULDNT_READ_FILE, pycurl.E_FILESIZE_EXCEEDED):
            return False
        if status in _NOT_FOUND_STATUSES:
            return False
        return self._settings.retry_all or status in _ALWAYS_RETRIED_STATUSES

    def _writer(self, transfer: _Transfer) -> Callable[[bytes], int | None]:
        def write(chunk: bytes) -> int | None:
            size = transfer.size + len(chunk)
            transfer.size = size
            if transfer.limit and size > transfer.limit:
                transfer.too_large = True
                return 0
            if size <= MEMORY_BYTES:
                transfer.chunks.append(chunk)
                return None
            try:
                if transfer.file is None:
                    transfer.spool(self._temp)
                if transfer.file is not None:
                    transfer.file.write(chunk)
            except (OSError, KeyboardInterrupt) as err:
                transfer.failure = err  # libcurl would swallow it
                return 0
            return None

        return write

    # -- options -------------------------------------------------------------------------

    def _new_transfer(self) -> _Transfer:
        transfer = _Transfer(pycurl.Curl())
        transfer.handle.setopt(pycurl.WRITEFUNCTION, self._writer(transfer))
        for option, value in _options(self._settings) + _tls_options(self._settings):
            transfer.handle.setopt(option, value)
        if self._ca_bundle is not None and not self._settings.tls_permissive:
            transfer.handle.setopt(pycurl.CAINFO, self._ca_bundle)
        _set_headers(transfer.handle, self._headers)
        return transfer

    def _set_request_options(self, transfer: _Transfer) -> None:
        transfer.dirty = True
        headers = list(self._headers)
        validators = transfer.request.validators
        # A line break in it would begin another header.
        if validators is not None and validators.etag and validators.etag.isprintable():
            headers.append(f"If-None-Match: {validators.etag}")
        if validators is not None and validators.last_modified > 0:
            date = email.utils.formatdate(validators.last_modified, usegmt=True)
            headers.append(f"If-Modified-Since: {date.replace('GMT', 'UTC')}")
        _set_headers(transfer.handle, headers)
        transfer.handle.setopt(pycurl.HEADERFUNCTION, transfer.note_header)

    def _undo_request_options(self, transfer: _Transfer) -> None:
        transfer.dirty = False
        _set_headers(transfer.handle, self._headers)
        transfer.handle.unsetopt(pycurl.HEADERFUNCTION)


def _set_headers(handle: pycurl.Curl, headers: Sequence[str]) -> None:
    # An empty list would be ignored, and those of an earlier request sent again.
    handle.unsetopt(pycurl.HTTPHEADER)
    handle.setopt(pycurl.HTTPHEADER, list(headers))


def _options(settings: FetchSettings) -> list[tuple[int, object]]:
    protocols = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
    # Over TLS only: the upgrade of plain HTTP costs headers in every request, and few can do it.
    version = pycurl.CURL_HTTP_VERSION_2TLS if settings.http2 else pycurl.CURL_HTTP_VERSION_1_1
    options: list[tuple[int, object]] = [
        (pycurl.USERAGENT, settings.user_agent),
        (pycurl.NOSIGNAL, 1),
        (pycurl.NOPROGRESS, 1),
        (pycurl.BUFFERSIZE, _BUFFER_BYTES),
        (pycurl.TCP_NODELAY, 1),
        (pycurl.FOLLOWLOCATION, 1),
        (pycurl.MAXREDIRS, _MAX_REDIRECTS),
        (pycurl.PROTOCOLS, protocols | pycurl.PROTO_FILE),
        (pycurl.REDIR_PROTOCOLS, protocols),  # no server may send us to local files
        (pycurl.CONNECTTIMEOUT, settings.connect_timeout_s),
        (pycurl.LOW_SPEED_LIMIT, settings.low_speed_bytes),
        (pycurl.LOW_SPEED_TIME, settings.low_speed_s),
        (pycurl.HTTP_VERSION, version),
        (pycurl.PIPEWAIT, int(settings.http2)),
    ]
    if settings.compressed:
        options.append((pycurl.ACCEPT_ENCODING, ""))
    if settings.proxy:
        options.append((pycurl.PROXY, settings.proxy))
    if settings.cookies_path is not None:
        options.append((pycurl.COOKIEFILE, settings.cookies_path))
    if settings.verbose:
        options.append((pycurl.VERBOSE, 1))
    return options


def _tls_options(settings: FetchSettings) -> list[tuple[int, object]]:
    options: list[tuple[int, object]] = []
    if settings.tls_permissive:
        options += [(pycurl.SSL_VERIFYPEER, 0), (pycurl.SSL_VERIFYHOST, 0)]
    cert, key = settings.tls_client_cert_path, settings.tls_client_key_path
    if cert is not None and key is not None:
        for path, option, kind in (
            (cert, pycurl.SSLCERT, pycurl.SSLCERTTYPE),
            (key, pycurl.SSLKEY, pycurl.SSLKEYTYPE),
        ):
            if path.startswith(_PKCS11):
                options += [(pycurl.SSLENGINE, "pkcs11"), (kind, "ENG")]
            options.append((option, path))
    return options


def _error(transfer: _Transfer, code: int, status: int, message: str) -> FetchError:
    url = transfer.url.shown
    if transfer.too_large or code == pycurl.E_FILESIZE_EXCEEDED:
        return FetchError(f"URI {url} exceeded maximum size of {transfer.limit} bytes")
    if transfer.failure is not None:
        return FetchError(f"While fetching {url}: {describe(transfer.failure)}")
    if code == pycurl.E_FILE_COULDNT_READ_FILE:
        return FetchNotFoundError(f"While fetching {url}: [{code}] {_text(code, message)}")
    if code:
        return FetchError(f"While fetching {url}: [{code}] {_text(code, message)}")
    kind = FetchNotFoundError if status in _NOT_FOUND_STATUSES else FetchError
    return kind(f"While fetching {url}: Server returned HTTP {status}")


def _text(code: int, message: str) -> str:
    if text := _TEXTS.get(code):
        return text
    strerror: Callable[[int], str] | None = getattr(pycurl, "easy_strerror", None)
    return message if strerror is None else strerror(code)


def _parse_http_date(text: str) -> int:
    """Return the seconds of an RFC 1123 date in its only permitted form, else 0."""
    if len(text) != _HTTP_DATE_LENGTH or not text.endswith(" GMT"):
        return 0
    try:
        return max(int(email.utils.parsedate_to_datetime(text).timestamp()), 0)
    except (ValueError, TypeError, OverflowError):
        return 0


def _find_ca_bundle() -> str | None:
    with Dir.at("/") as root:
        found = next((path for path in _CA_BUNDLES if root.is_file(path)), None)
    return None if found is None else f"/{found}"
