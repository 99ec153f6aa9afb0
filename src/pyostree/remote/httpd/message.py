"""HTTP/1.1 messages: bytes to a request, an answer's head to bytes."""

from __future__ import annotations

import email.utils
import time
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from pyostree.errors import FormatError

SERVER = "ostree-httpd pyostree"
_REQUEST_PARTS = 3
_SESSION_HEADERS_MAX = 200


class Request(NamedTuple):
    """One request without a body.

    Attributes:
        path: decoded, without query; begins with ``/``.
        headers: by name in lower case; values of a repeated one are joined by ``, ``.
    """

    method: str
    path: str
    version: str
    headers: dict[str, str]

    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants to send another request."""
        wish = self.headers.get("connection", "").lower()
        return wish == "keep-alive" if self.version == "HTTP/1.0" else wish != "close"

    @property
    def has_body(self) -> bool:
        """Whether a body follows, which we never read."""
        return self.headers.get("content-length", "0") != "0" or "transfer-encoding" in self.headers


def parse_request(head: bytes) -> Request:
    """Return the request that begins with `head`, which ends before the empty line.

    Raises:
        FormatError: no HTTP/1 request.
    """
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != _REQUEST_PARTS or not parts[2].startswith("HTTP/1."):
        raise FormatError("no HTTP request")
    if len(lines) > _SESSION_HEADERS_MAX:
        raise FormatError("too many headers")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise FormatError("no header")
        key, text = name.strip().lower(), value.strip()
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    target = parts[1]
    if target.startswith(("http://", "https://")):  # as sent to proxies
        target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"  # noqa: PLR2004
    if not target.startswith("/"):
        raise FormatError("no path")
    path = unquote_to_bytes(target.partition("?")[0]).decode("utf-8", "surrogateescape")
    return Request(parts[0], path, parts[2], headers)


def format_head(status: HTTPStatus, headers: list[tuple[str, str]], version: str) -> bytes:
    """Return the head of an answer with its empty line."""
    lines = [
        f"{'HTTP/1.0' if version == 'HTTP/1.0' else 'HTTP/1.1'} {_status_text(status)}",
        f"Server: {SERVER}",
        f"Date: {format_http_date(int(time.time()))}",
        *[f"{name}: {value}" for name, value in headers],
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def reason(status: HTTPStatus) -> str:
    """Return the words beside a status number."""
    return status.phrase


@lru_cache(maxsize=64)
def _status_text(status: HTTPStatus) -> str:
    return f"{status.value} {reason(status)}"


@lru_cache(maxsize=1024)
def format_http_date(timestamp: int) -> str:
    """Return a date for a header; files of one repository often have the same."""
    return email.utils.formatdate(timestamp, usegmt=True)


def parse_http_date(text: str) -> float | None:
    """Return the seconds since 1970 UTC of a date in a header, None if it is none."""
    try:
        return email.utils.parsedate_to_datetime(text.replace("UTC", "GMT")).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Return start and end (exclusive) of a single range; None to send everything.

    Raises:
        FormatError: the range begins beyond the end.
    """
    unit, _, spec = text.partition("=")
    first, dash, last = spec.strip().partition("-")
    numbers = (first, last)
    if unit.strip() != "bytes" or not dash or not all(n.isdecimal() or not n for n in numbers):
        return None
    if not first:
        if not last:
            return None
        return max(size - int(last), 0), size
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    if start >= size or end <= start:
        raise FormatError("range beyond the end")
    return start, end
