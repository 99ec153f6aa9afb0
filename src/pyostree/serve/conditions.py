"""Conditions and ranges of a request (RFC 9110, sections 13 and 14): pure decisions."""

from __future__ import annotations

import re
from typing import Protocol

from pyostree.remote.httpd.message import parse_http_date

_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*")


class Headers(Protocol):
    """The headers of a request, by names in lower case."""

    def get(self, key: str, /) -> str | None:
        """Return the first value of a header, None when there is none."""
        ...


class RangeError(ValueError):
    """The range has nothing of the file."""


def is_refused(headers: Headers, etag: str, modified: int | None) -> bool:
    """Tell whether the client wants another version than this one: status 412."""
    if (wanted := headers.get("if-match")) is not None:
        return not _lists(wanted, etag)
    if modified is not None and (text := headers.get("if-unmodified-since")) is not None:
        since = parse_http_date(text)
        return since is not None and modified > since
    return False


def is_unchanged(headers: Headers, etag: str, modified: int | None) -> bool:
    """Tell whether the client has this version already: status 304.

    The reference's dates end in ``UTC`` in place of ``GMT``; they count.
    """
    if (known := headers.get("if-none-match")) is not None:
        return _lists(known, etag)
    if modified is None or (text := headers.get("if-modified-since")) is None:
        return False
    since = parse_http_date(text)
    return since is not None and modified <= since


def find_range(
    headers: Headers, size: int, etag: str, modified: int | None
) -> tuple[int, int] | None:
    """Return start and end (exclusive) of the part that is wanted; None: everything.

    A list of several ranges, another unit, or a range of another version gets everything.

    Raises:
        RangeError: status 416.
    """
    if (text := headers.get("range")) is None:
        return None
    if (version := headers.get("if-range")) is not None and not _is_version(
        version, etag, modified
    ):
        return None
    if (found := _RANGE.fullmatch(text)) is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, end = max(size - int(found[2]), 0), size
    else:
        start = int(found[1])
        end = min(int(found[2]) + 1, size) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None  # no valid range, so it does not count
    if start >= end:
        raise RangeError(text)
    return start, end


def _is_version(text: str, etag: str, modified: int | None) -> bool:
    if text.startswith('"'):
        return text == etag
    return modified is not None and parse_http_date(text) == modified


def _lists(text: str, etag: str) -> bool:
    return text.strip() == "*" or f'"{etag[1:-1]}"' in {f'"{tag}"' for tag in _TAG.findall(text)}
