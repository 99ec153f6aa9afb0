"""The date of a commit as text; a module of its own, since `dates` takes time to import."""

from __future__ import annotations

from pyostree.errors import FormatError
from pyostree.formats.date_calendar import DAY_S, civil_from_days

_FIRST_YEAR, _LAST_YEAR = 1, 9999  # what the reference's GDateTime can show
_SIGN_BIT = 1 << 63


def format_commit_date(timestamp: int) -> str:
    """Return UTC date and time as ``log`` and ``show`` print them.

    Args:
        timestamp: the unsigned number in a commit; from 2**63 on it is a time before 1970.

    Raises:
        FormatError: ``Invalid timestamp: N`` for years outside 1 to 9999.
    """
    signed = timestamp - 2 * _SIGN_BIT if timestamp >= _SIGN_BIT else timestamp
    days, clock = divmod(signed, DAY_S)
    year, month, day = civil_from_days(days)
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise FormatError(f"Invalid timestamp: {timestamp}")
    hour, minute, second = clock // 3600, clock // 60 % 60, clock % 60
    return f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} +0000"
