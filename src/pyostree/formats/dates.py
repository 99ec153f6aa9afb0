"""Dates: parsing what GNU ``date -d`` takes, formatting as ``ostree log`` and ``summary`` do.

Times are seconds since 1970 UTC, of any size a 64-bit number has; the calendar is the Gregorian one
before its time too.
"""

from __future__ import annotations

from datetime import tzinfo

from pyostree.errors import FormatError
from pyostree.formats.date_calendar import DAY_S, civil_from_days, days_from_civil
from pyostree.formats.date_grammar import NS, Parser, Stated, tokenize
from pyostree.formats.date_zones import (
    from_wall_clock,
    is_daylight,
    local_name,
    local_offset,
    take_zone_prefix,
    zone_names,
)

_HOUR_S = 3600
_DST_CHANGES_S = (1800, 3600, 7200)  # other changes of the clock are of the zone itself
_MAX_TIME = 2**63
_MAX_FIELD = 2**31 - 1  # fields are C ints
_NOON = 12
_FIRST_YEAR, _LAST_YEAR = 1, 9999  # what GDateTime can show


def parse_date(text: str, now: float) -> int:
    """Return the time that `text` means, seen from `now`; without a zone, in local time.

    Raises:
        FormatError: ``Could not parse 'TEXT'``.
    """
    try:
        return _parse(text, int(now * NS))
    except FormatError:
        raise FormatError(f"Could not parse '{text}'") from None


def format_local(timestamp: int) -> str:
    """Return local date, time and shortest zone, such as ``2023-11-15T21:00:00-05``.

    A time that cannot be shown is ``invalid``.
    """
    signed = _signed(timestamp)
    if not _FIRST_YEAR < civil_from_days(signed // DAY_S)[0] < _LAST_YEAR:
        return "invalid"
    offset = local_offset(signed, None)
    days, second = divmod(signed + offset, DAY_S)
    year, month, day = civil_from_days(days)
    return f"{year:04}-{month:02}-{day:02}T{_clock_text(second)}{_zone_text(offset)}"


def is_representable(timestamp: int) -> bool:
    """Tell whether `timestamp` lies in the years 1 to 9999."""
    return _FIRST_YEAR <= civil_from_days(_signed(timestamp) // DAY_S)[0] <= _LAST_YEAR


def _signed(timestamp: int) -> int:
    return timestamp - 2 * _MAX_TIME if timestamp >= _MAX_TIME else timestamp


def _clock_text(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def _zone_text(offset: int) -> str:
    sign = "-" if offset < 0 else "+"
    hours, rest = divmod(abs(offset), 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{sign}{hours:02}"
    if minutes or seconds:
        text += f":{minutes:02}"
    return f"{text}:{seconds:02}" if seconds else text


# -- meaning -----------------------------------------------------------------------------


def _parse(text: str, now_ns: int) -> int:
    text, zone = take_zone_prefix(text.lstrip(" \t\n\v\f\r"))
    now = now_ns // NS
    stated = Parser(tokenize(text or "0", zone_names(now, zone))).parse()
    if stated.timestamp_ns is not None:
        result = stated.timestamp_ns // NS
    else:
        result = _resolve(stated, now_ns, zone)
    if not -_MAX_TIME <= result < _MAX_TIME:
        raise FormatError("out of range")
    return result


def _resolve(stated: Stated, now_ns: int, zone: tzinfo | None) -> int:
    seen = (stated.times, stated.dates, stated.days, stated.local_zones + stated.zones)
    if any(count > 1 for count in seen):
        raise FormatError("said twice")
    now = now_ns // NS
    # Also after TZ="..." the wall clock is read where we are: a quirk of the reference.
    local_days, local_second = divmod(now + local_offset(now, None), DAY_S)
    year, month, day = civil_from_days(local_days)
    if stated.dates:
        given, month, day = stated.date
        year = year if given is None else given
    is_absolute = bool(stated.dates or stated.days or stated.times)
    nanos = stated.seconds_ns % NS
    if stated.times:
        second = _time_of_day(stated)
    elif stated.rels and not is_absolute:
        second, nanos = local_second, now_ns % NS
    else:
        second = nanos = 0
    days = _checked_days(year, month, day)
    place = _Place(stated, zone, None if is_absolute else local_offset(now, zone))
    place.to_utc(days * DAY_S + second, check=True)
    if stated.days and not stated.dates:
        days += _weekday_shift(days, stated)
    if stated.rel_year or stated.rel_month or stated.rel_day:
        year, month, day = civil_from_days(days)
        days = _shifted_days(year + stated.rel_year, month + stated.rel_month, day, stated.rel_day)
    start = place.to_utc(days * DAY_S + second, check=False)
    return (start * NS + nanos + stated.rel_ns) // NS


class _Place:
    """Where the wall clock hangs: an explicit zone, a named local one, or the local rules."""

    def __init__(self, stated: Stated, zone: tzinfo | None, offset: int | None) -> None:
        self._explicit = stated.zone_minutes * 60 if stated.zones else None
        self._name = stated.local_zone
        self._zone = zone
        self._offset = offset  # of now, so that "1 month ago" stays clear of DST
        self._guess = 0  # where the search begins: as in the C library, at the last offset found

    def to_utc(self, civil: int, *, check: bool) -> int:
        """Return the time at which the clock shows `civil`; `check` refuses skipped hours."""
        if self._explicit is not None:
            if self._offset is None:
                return civil - self._explicit
            # A quirk of the reference: the local clock is asked, and then set to the zone.
            kept = self._as_at(civil, self._offset)
            return kept + local_offset(kept, self._zone) - self._explicit
        if self._name is not None:
            return self._named(civil, check=check)
        if self._offset is not None:
            return self._as_at(civil, self._offset)
        found = self._search(civil)
        if check and found + local_offset(found, self._zone) != civil:
            raise FormatError("skipped by daylight saving")
        return found

    def _search(self, civil: int) -> int:
        found = from_wall_clock(civil, self._zone, self._guess)
        self._guess = civil - found
        return found

    def _as_at(self, civil: int, offset: int) -> int:
        """Return the time of `civil`, with or without daylight saving as where `offset` holds."""
        found = self._search(civil)
        change = abs(local_offset(found, self._zone) - offset)
        return civil - offset if change in _DST_CHANGES_S else found

    def _named(self, civil: int, *, check: bool) -> int:
        if not check and self._offset is not None:
            return self._as_at(civil, self._offset)
        wants_daylight = self._name is not None and self._name.endswith(" DST")
        first = self._search(civil)
        for found in (first, first - _HOUR_S, first + _HOUR_S):
            if wants_daylight:
                is_wanted = is_daylight(found, self._zone)
                is_wanted = (
                    is_wanted and local_name(found, self._zone).upper() + " DST" != self._name
                )
            else:
                is_wanted = local_name(found, self._zone).upper() == self._name
            if is_wanted and found + local_offset(found, self._zone) == civil:
                self._offset = civil - found
                return found
        raise FormatError("the zone is not in force then")


def _time_of_day(stated: Stated) -> int:
    hour, second = stated.hour, stated.seconds_ns // NS
    if stated.meridian is None:
        is_valid = hour < 24  # noqa: PLR2004
    else:
        is_valid = 0 < hour <= _NOON
        hour = hour % _NOON + _NOON * stated.meridian
    if not is_valid or stated.minute > 59 or second > 59:  # noqa: PLR2004
        raise FormatError("no such time")
    return hour * 3600 + stated.minute * 60 + second


def _weekday_shift(days: int, stated: Stated) -> int:
    weekday = (days + 4) % 7  # 1970-01-01 was a Thursday
    ordinal = stated.day_ordinal
    weeks = ordinal - (ordinal > 0 and weekday != stated.day_number)
    shift = (stated.day_number - weekday) % 7 + 7 * weeks
    if abs(shift) > _MAX_FIELD:
        raise FormatError("out of range")
    return shift


def _shifted_days(year: int, month: int, day: int, more: int) -> int:
    if max(abs(year), abs(month), abs(day + more)) > _MAX_FIELD:
        raise FormatError("out of range")
    years, month0 = divmod(month - 1, 12)
    return days_from_civil(year + years, month0 + 1, 1) + day - 1 + more


def _checked_days(year: int, month: int, day: int) -> int:
    if not (0 <= year <= _MAX_FIELD and 1 <= month <= 12 and 1 <= day <= 31):  # noqa: PLR2004
        raise FormatError("no such date")
    days = days_from_civil(year, month, day)
    if civil_from_days(days) != (year, month, day):
        raise FormatError("no such date")
    return days
