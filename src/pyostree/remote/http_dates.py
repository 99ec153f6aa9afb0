"""Dates in HTTP headers."""

from __future__ import annotations

import email.utils

_HTTP_DATE_LENGTH = 29


def parse_http_date(text: str) -> int:
    """Return the seconds of an RFC 1123 date in its only permitted form, else 0."""
    if len(text) != _HTTP_DATE_LENGTH or not text.endswith(" GMT"):
        return 0
    try:
        return max(int(email.utils.parsedate_to_datetime(text).timestamp()), 0)
    except (ValueError, TypeError, OverflowError):
        return 0


def format_http_date(timestamp: int) -> str:
    """Return the date as the reference writes it, with ``UTC`` at its end."""
    return email.utils.formatdate(timestamp, usegmt=True).replace("GMT", "UTC")
