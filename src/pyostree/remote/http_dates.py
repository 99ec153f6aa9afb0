"""Dates in HTTP headers, with nothing imported: every pull reads one, and start-up time counts."""

from __future__ import annotations

import time

_HTTP_DATE_LENGTH = 29
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY = 2
_DAYS_TO_EPOCH = 719468  # from the first of March of the year 0


def parse_http_date(text: str) -> int:
    """Return the seconds of an RFC 1123 date in its only permitted form, else 0."""
    # Sun, 22 Nov 2026 22:04:32 GMT
    if len(text) != _HTTP_DATE_LENGTH or not text.isascii() or not text.endswith(" GMT"):
        return 0
    if text[3:5] != ", " or text[7] + text[11] + text[16] != "   " or text[19] + text[22] != "::":
        return 0
    numbers = text[5:7], text[12:16], text[17:19], text[20:22], text[23:25]
    if text[8:11] not in _MONTHS or not all(map(str.isdigit, numbers)):
        return 0
    day, year, hour, minute, second = map(int, numbers)
    month = _MONTHS.index(text[8:11]) + 1
    if not 1 <= day <= _days_in(month, year) or hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004
        return 0
    return max(_days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second, 0)


def _days_in(month: int, year: int) -> int:
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 28 if month == _FEBRUARY and not is_leap else _MONTH_LENGTHS[month - 1]


def _days_since_1970(year: int, month: int, day: int) -> int:
    # Years that begin in March have their leap day at the end.
    if month <= _FEBRUARY:
        year, month = year - 1, month + 12
    leap_days = year // 4 - year // 100 + year // 400
    return year * 365 + leap_days + (153 * (month - 3) + 2) // 5 + day - 1 - _DAYS_TO_EPOCH


def format_http_date(timestamp: int) -> str:
    """Return the date as the reference writes it, with ``UTC`` at its end."""
    date = time.gmtime(timestamp)
    day, month = _DAYS[date.tm_wday], _MONTHS[date.tm_mon - 1]
    return (
        f"{day}, {date.tm_mday:02} {month} {date.tm_year:04}"
        f" {date.tm_hour:02}:{date.tm_min:02}:{date.tm_sec:02} UTC"
    )
