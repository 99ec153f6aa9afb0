"""Time zones as the C library sees them: what the wall clock shows, and when it shows it.

A zone is a `tzinfo`, or None for the one where we are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

from pyostree.errors import FormatError
from pyostree.formats.date_calendar import DAY_S, DAYS_PER_ERA, EPOCH_DAYS

_SEARCH_STEPS = 6
_TZ_PREFIX = 'TZ="'
_QUARTER_S = 90 * DAY_S


def _datetime(seconds: int) -> datetime:
    """Return a naive `datetime`, moved by whole eras into the years it can hold."""
    days, second = divmod(seconds, DAY_S)
    era = (days + EPOCH_DAYS) // DAYS_PER_ERA
    days -= (era - min(max(era, 1), 23)) * DAYS_PER_ERA
    return datetime(1970, 1, 1) + timedelta(days=days, seconds=second)


def local_offset(timestamp: int, zone: tzinfo | None) -> int:
    """Return seconds east of Greenwich in force at `timestamp`."""
    moment = _datetime(timestamp).replace(tzinfo=UTC).astimezone(zone)
    return _seconds(moment.utcoffset())


def local_name(timestamp: int, zone: tzinfo | None) -> str:
    """Return what the zone is called at `timestamp`."""
    moment = _datetime(timestamp).replace(tzinfo=UTC).astimezone(zone)
    return moment.tzname() or ""


def is_daylight(timestamp: int, zone: tzinfo | None) -> bool:
    """Tell whether daylight saving is in force at `timestamp`."""
    here = local_offset(timestamp, zone)
    probes = (timestamp + quarter * _QUARTER_S for quarter in (-2, -1, 1, 2))
    return any(local_offset(probe, zone) < here for probe in probes)


def from_wall_clock(civil: int, zone: tzinfo | None, guess: int) -> int:
    """Return when the wall clock shows `civil`.

    Of an hour that comes twice the one nearer to the offset `guess` is found, as with the C
    library. For an hour that is skipped the result shows another time.
    """
    found = civil - guess
    for _ in range(_SEARCH_STEPS):
        found, previous = civil - local_offset(found, zone), found
        if found == previous:
            break
    return found


def _seconds(offset: timedelta | None) -> int:
    return 0 if offset is None else offset.days * DAY_S + offset.seconds


def zone_names(now: int, zone: tzinfo | None) -> tuple[str, ...]:
    """Return the names of the zone this year: standard and daylight saving time."""
    names = [local_name(now, None)]
    here = local_offset(now, zone)
    for probe in range(now + _QUARTER_S, now + 4 * _QUARTER_S, _QUARTER_S):
        if local_offset(probe, zone) != here:
            names.append(local_name(probe, zone))
            break
    return tuple(name.upper() for name in names)


def take_zone_prefix(text: str) -> tuple[str, tzinfo | None]:
    """Split ``TZ="ZONE" REST``; a zone nobody knows is UTC, as in the C library."""
    if not text.startswith(_TZ_PREFIX):
        return text, None
    name = []
    position = len(_TZ_PREFIX)
    while position < len(text) and text[position] != '"':
        if text[position] == "\\":
            position += 1
            if text[position : position + 1] not in ("\\", '"'):
                raise FormatError("bad escape in TZ")
        name.append(text[position])
        position += 1
    if position >= len(text):
        raise FormatError("TZ is not closed")
    rest = text[position + 1 :].lstrip(" \t\n\v\f\r")
    return rest, _load_zone("".join(name).removeprefix(":"))


def _load_zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _posix_zone(name)


def _posix_zone(name: str) -> tzinfo:
    """Return the fixed zone of ``NAME[+-]H[:MM]``, counted to the west; anything else is UTC."""
    letters = name.rstrip("0123456789:+-")
    sign, _, digits = name[len(letters) :].rpartition("-")
    hours, _, minutes = digits.lstrip("+").partition(":")
    if len(letters) < 3 or not hours.isdecimal() or int(hours) >= 24:  # noqa: PLR2004
        return UTC
    west = timedelta(hours=int(hours), minutes=int(minutes) if minutes.isdecimal() else 0)
    is_east = len(name) > len(letters) and name[len(letters)] == "-" and not sign
    return timezone(west if is_east else -west, letters)
