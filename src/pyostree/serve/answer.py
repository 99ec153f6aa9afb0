"""`Answer`: what one request gets, and the ones that are always the same."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

Header = tuple[str, str]

SERVER: Header = ("server", "ostree")
IMMUTABLE: Header = ("cache-control", "public, max-age=31536000, immutable")
REVALIDATED: Header = ("cache-control", "no-cache")
_NOT_STORED: Header = ("cache-control", "no-store")
_ALLOW: Header = ("allow", "GET, HEAD")
RANGES: Header = ("accept-ranges", "bytes")
BINARY: Header = ("content-type", "application/octet-stream")
TEXT: Header = ("content-type", "text/plain; charset=utf-8")


class Answer(NamedTuple):
    """Status, headers and body of an answer.

    Attributes:
        body: small ones; also the text of an error.
        path: where the server finds a large body.
        part: of `path`, start and end (exclusive); None: all of it.
        size: bytes of the body.
    """

    status: int
    headers: list[Header]
    body: bytes = b""
    path: str | None = None
    part: tuple[int, int] | None = None
    size: int = 0


def refusal(status: HTTPStatus, *headers: Header) -> Answer:
    """Return the answer of an error: a line of text, which no cache keeps."""
    text = f"{status.value} {status.phrase}\n".encode()
    fixed = [SERVER, _NOT_STORED, TEXT, ("content-length", str(len(text)))]
    return Answer(status.value, [*fixed, *headers], body=text, size=len(text))


BAD_REQUEST = refusal(HTTPStatus.BAD_REQUEST)
NOT_FOUND = refusal(HTTPStatus.NOT_FOUND)
NOT_ALLOWED = refusal(HTTPStatus.METHOD_NOT_ALLOWED, _ALLOW)
TOO_LONG = refusal(HTTPStatus.REQUEST_URI_TOO_LONG)
REFUSED = refusal(HTTPStatus.PRECONDITION_FAILED)
UNREADABLE = refusal(HTTPStatus.INTERNAL_SERVER_ERROR)
BUSY = refusal(HTTPStatus.SERVICE_UNAVAILABLE, ("retry-after", "5"))
