"""Words of the date syntax that GNU ``date -d`` understands, and what each stands for.

Source: "Date input formats" in the GNU coreutils manual; abbreviations and time zones as the
reference accepts them (compared in tests/interop).
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Kind(enum.Enum):
    """Classes of words and other tokens."""

    END = enum.auto()
    PUNCTUATION = enum.auto()
    UNSIGNED = enum.auto()
    SIGNED = enum.auto()
    UNSIGNED_DECIMAL = enum.auto()
    SIGNED_DECIMAL = enum.auto()
    MERIDIAN = enum.auto()
    MONTH = enum.auto()
    WEEKDAY = enum.auto()
    UNIT = enum.auto()
    DAY_SHIFT = enum.auto()
    ORDINAL = enum.auto()
    DIRECTION = enum.auto()
    ZONE = enum.auto()
    DAYLIGHT_ZONE = enum.auto()
    LOCAL_ZONE = enum.auto()
    DAYLIGHT = enum.auto()


class Token(NamedTuple):
    """One word, number or sign.

    Attributes:
        value: the number (nanoseconds for decimals), or what the word stands for.
        digits: how many digits an integer was written with.
        text: the word in upper case, the character, or the name of a unit.
    """

    kind: Kind
    value: int = 0
    digits: int = 0
    text: str = ""


_MONTHS = (
    "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER",
    "OCTOBER", "NOVEMBER", "DECEMBER",
)  # fmt: skip
_WEEKDAYS = ("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")
_ORDINALS = (  # "second" is a unit of time
    "FIRST", "", "THIRD", "FOURTH", "FIFTH", "SIXTH", "SEVENTH", "EIGHTH", "NINTH", "TENTH",
    "ELEVENTH", "TWELFTH",
)  # fmt: skip

CALENDAR = {
    **{name: Token(Kind.MONTH, number) for number, name in enumerate(_MONTHS, 1)},
    "SEPT": Token(Kind.MONTH, 9),
    **{name: Token(Kind.WEEKDAY, number) for number, name in enumerate(_WEEKDAYS)},
    "TUES": Token(Kind.WEEKDAY, 2),
    "WEDNES": Token(Kind.WEEKDAY, 3),
    "THUR": Token(Kind.WEEKDAY, 4),
    "THURS": Token(Kind.WEEKDAY, 4),
}
CALENDAR_ABBREVIATIONS = {
    name[:3]: token for name, token in CALENDAR.items() if name in _MONTHS + _WEEKDAYS
}

MERIDIANS = {
    name: Token(Kind.MERIDIAN, half)
    for name, half in (("AM", 0), ("A.M.", 0), ("PM", 1), ("P.M.", 1))
}

UNITS = {
    "YEAR": Token(Kind.UNIT, 1, text="year"),
    "MONTH": Token(Kind.UNIT, 1, text="month"),
    "FORTNIGHT": Token(Kind.UNIT, 14, text="day"),
    "WEEK": Token(Kind.UNIT, 7, text="day"),
    "DAY": Token(Kind.UNIT, 1, text="day"),
    "HOUR": Token(Kind.UNIT, 3600, text="second"),
    "MINUTE": Token(Kind.UNIT, 60, text="second"),
    "MIN": Token(Kind.UNIT, 60, text="second"),
    "SECOND": Token(Kind.UNIT, 1, text="second"),
    "SEC": Token(Kind.UNIT, 1, text="second"),
}

RELATIVE = {
    "TOMORROW": Token(Kind.DAY_SHIFT, 1),
    "YESTERDAY": Token(Kind.DAY_SHIFT, -1),
    "TODAY": Token(Kind.DAY_SHIFT, 0),
    "NOW": Token(Kind.DAY_SHIFT, 0),
    "LAST": Token(Kind.ORDINAL, -1),
    "THIS": Token(Kind.ORDINAL, 0),
    "NEXT": Token(Kind.ORDINAL, 1),
    **{name: Token(Kind.ORDINAL, number) for number, name in enumerate(_ORDINALS, 1) if name},
    "AGO": Token(Kind.DIRECTION, -1),
    "HENCE": Token(Kind.DIRECTION, 1),
}

DAYLIGHT = Token(Kind.DAYLIGHT, 1, text="DST")

_ZONE_MINUTES = {
    "GMT": 0, "UT": 0, "UTC": 0, "WET": 0, "ART": -180, "BRT": -180, "NST": -210, "AST": -240,
    "CLT": -240, "EST": -300, "CST": -360, "MST": -420, "PST": -480, "AKST": -540, "HST": -600,
    "HAST": -600, "SST": -720, "WAT": 60, "CET": 60, "MET": 60, "MEZ": 60, "EET": 120, "CAT": 120,
    "SAST": 120, "EAT": 180, "MSK": 180, "IST": 330, "SGT": 480, "KST": 540, "JST": 540,
    "GST": 600, "NZST": 720,
}  # fmt: skip
_DAYLIGHT_MINUTES = {  # standard time; an hour is added
    "WEST": 0, "BST": 0, "BRST": -180, "NDT": -210, "ADT": -240, "CLST": -240, "EDT": -300,
    "CDT": -360, "MDT": -420, "PDT": -480, "AKDT": -540, "HADT": -600, "CEST": 60, "MEST": 60,
    "MESZ": 60, "EEST": 120, "MSD": 180, "NZDT": 720,
}  # fmt: skip

UNIVERSAL_ZONES = frozenset({"GMT", "UT", "UTC"})
ZONES = {
    **{name: Token(Kind.ZONE, minutes, text=name) for name, minutes in _ZONE_MINUTES.items()},
    **{
        name: Token(Kind.DAYLIGHT_ZONE, minutes, text=name)
        for name, minutes in _DAYLIGHT_MINUTES.items()
    },
}

# The old sign convention: A is an hour west of Greenwich. J is not used.
MILITARY = {
    **{
        letter: Token(Kind.ZONE, -60 * hours, text=letter)
        for hours, letter in enumerate("ABCDEFGHIKLM", 1)
    },
    **{
        letter: Token(Kind.ZONE, 60 * hours, text=letter)
        for hours, letter in enumerate("NOPQRSTUVWXY", 1)
    },
    "Z": Token(Kind.ZONE, 0, text="Z"),
}


def look_up(word: str, local_zones: tuple[str, ...]) -> Token | None:
    """Return what an upper-case `word` stands for; None when unknown.

    Args:
        local_zones: names of the local time zone in upper case; they win over the fixed table.
    """
    if found := MERIDIANS.get(word):
        return found
    is_short = len(word) == 3 or (len(word) == 4 and word[3] == ".")  # noqa: PLR2004
    found = CALENDAR_ABBREVIATIONS.get(word[:3]) if is_short else CALENDAR.get(word)
    found = found or _look_up_zone(word, local_zones)
    if found is None and word == "DST":
        found = DAYLIGHT
    found = found or UNITS.get(word) or (UNITS.get(word[:-1]) if word[-1] == "S" else None)
    found = found or RELATIVE.get(word) or MILITARY.get(word)
    if found is None and "." in word:
        found = _look_up_zone(word.replace(".", ""), local_zones)
    return found


def _look_up_zone(word: str, local_zones: tuple[str, ...]) -> Token | None:
    if word not in UNIVERSAL_ZONES and word in local_zones:
        return Token(Kind.LOCAL_ZONE, text=word)
    return ZONES.get(word)
