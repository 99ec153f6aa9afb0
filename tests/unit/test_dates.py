"""Dates as GNU date takes them. Expected values come from the reference, with TZ=UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pyostree.errors import FormatError
from pyostree.formats.commit_date import format_commit_date
from pyostree.formats.dates import format_local, parse_date

NOW = 1_700_050_000.75  # Wed 2023-11-15 12:06:40.75 UTC
TODAY = 1_700_006_400
DAY = 86400

ABSOLUTE = {
    "@0": 0, "@ 5": 5, "@1700000000.9": 1700000000, "@-1": -1, "@-1.5": -2, "@+5": 5,
    "2023-11-15": TODAY, "2023-11-15 12:34": 1700051640, "2023-11-15 12:34:56,789": 1700051696,
    "2023-11-15T12:34:56.123456789Z": 1700051696, "2023-11-15T12:34:56+0100": 1700048096,
    "2023-11-15 12:34:56 -5": 1700069696, "2023-11-15 12:34:56 EST": 1700069696,
    "2023-11-15 12:34:56 EDT": 1700066096, "20231115": TODAY, "231115": TODAY,
    "20231115 1234": 1700051640, "11/15/2023": TODAY, "11/15/23": TODAY, "2023/11/15": TODAY,
    "15 Nov 2023": TODAY, "15-Nov-2023": TODAY, "Nov 15, 2023": TODAY, "Nov-15-2023": TODAY,
    "Wed, 15 Nov 2023 12:34:56 +0000": 1700051696,
    "Wed Nov 15 12:34:56 EST 2023": 1700069696, "10 september 2015 1:00 AM": 1441846800,
    "Tue Jan 2 2018 09:34:11 GMT+0100 (CET)": 1514882051,
    'TZ="America/New_York" 2023-11-15 12:00': 1700067600, "9999-12-31": 253402214400,
    "10-11-12": 1289520000, "68-01-01": 3092601600, "69-01-01": -31536000,
    "2023-11-15 A": 1700010000, "2023-11-15 12:00 -1 hour": 1700056800,
    "2023-11-15 1 day ago": 1699920000, "2023-11-15 +1 day": 1700092800,
    "20231115T1234": 1700026440, "31 jan 2023 1 month": 1677801600,
    "2023-11-15 10:00:00 -00:30": 1700044200, "2023--11--15": TODAY,
    'TZ="Europe/Berlin" 2023-07-15 12:00': 1689415200,
    'TZ="Europe/Berlin" 2023-10-29 02:30': 1698543000,
}  # fmt: skip
RELATIVE = {
    "now": 0, "today": 0, "yesterday": -DAY, "tomorrow": DAY, "1 week ago": -7 * DAY,
    "1 fortnight ago": -14 * DAY, "3 days hence": 3 * DAY, "+2 days": 2 * DAY, "day": DAY,
    "90 sec ago": -90, "1.5 sec ago": -1, "hour": 3600, "week ago": -7 * DAY,
    "1 year ago": -365 * DAY, "last month": -31 * DAY, "next year": 366 * DAY,
    "1 day + 1 hour": DAY + 3600, "1 month ago 2 days": -29 * DAY,
}  # fmt: skip
TODAY_AT = {
    "12:34": 45240, "1:30 PM": 48600, "1:30:15 p.m.": 48615, "12pm": 43200, "12 am": 0,
    "1234": 45240, "12": 43200, "": 0, "  ": 0, "0": 0, "11/15": 0, "15 nov": 0, "wednesday": 0,
    "monday": 5 * DAY, "last monday": -2 * DAY, "next friday": 2 * DAY, "third tuesday": 20 * DAY,
    "last sun": -3 * DAY, "this wednesday": 0, "2023": 73380, "5": 18000, "yesterday 12:00": -43200,
}  # fmt: skip
REFUSED = [
    "@abc", "@1 2", "@99999999999999999999", "foo", "noon", "midnight", "yesterday noon", "13pm",
    "25:00", "2023-11-15 24:00", "2023-11-15 12:34:60", "2023-02-30", "2023-13-01", "2023-11",
    "2023-319", "2023-W46-3", "20231115T123456", "2023-11-15T12", "2023-11-15 2023-11-16",
    "12:00 13:00", "1 2 3", "2023-11-15 12:34:56 +2500", "yesterday ago", "garbage", "é",
    "2023-11-15 )", "1.5 days", "1.5", "-1 monday", "15 Nov 12:34",
    'TZ="Europe/Berlin" 2023-03-26 02:30',
    'TZ="Europe/Berlin', "1/2/2003/4", "2023+11+15", "99999999999999999999 days", "2 days ago ago",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("text", "expected"), ABSOLUTE.items())
def test_absolute(text: str, expected: int) -> None:
    assert parse_date(text, NOW) == expected


@pytest.mark.parametrize(("text", "shift"), RELATIVE.items())
def test_relative_keeps_time_of_day(text: str, shift: int) -> None:
    assert parse_date(text, NOW) == int(NOW) + shift


@pytest.mark.parametrize(("text", "shift"), TODAY_AT.items(), ids=repr)
def test_today(text: str, shift: int) -> None:
    assert parse_date(text, NOW) == TODAY + shift


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    with pytest.raises(FormatError) as failed:
        parse_date(text, NOW)
    assert str(failed.value) == f"Could not parse '{text}'"


def test_local_zone_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    assert parse_date("2023-07-15 12:00", NOW) == 1689436800
    assert parse_date("2023-07-15 12:00 EDT", NOW) == 1689436800
    assert parse_date("6 months", NOW) == 1715774800  # standard time is kept across the change
    for refused in ("2023-07-15 12:00 EST", "2023-03-12 02:30"):
        with pytest.raises(FormatError):
            parse_date(refused, NOW)


def test_format_commit_date() -> None:
    assert format_commit_date(1700000000) == "2023-11-14 22:13:20 +0000"
    assert format_commit_date(2**64 - 1) == "1969-12-31 23:59:59 +0000"
    assert format_commit_date(253402300799) == "9999-12-31 23:59:59 +0000"
    assert format_commit_date(2**64 - 62135596800) == "1-01-01 00:00:00 +0000"
    for beyond in (2**64 - 62135596801, 2**63 - 1, 2**63):
        with pytest.raises(FormatError, match=f"Invalid timestamp: {beyond}"):
            format_commit_date(beyond)
    with pytest.raises(FormatError, match=r"^Invalid timestamp: 253402300800$"):
        format_commit_date(253402300800)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", "2023-11-16T02:00:00+00"),
        ("America/New_York", "2023-11-15T21:00:00-05"),
        ("Asia/Kolkata", "2023-11-16T07:30:00+05:30"),
    ],
)
def test_format_local(zone: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    assert format_local(1700100000) == expected
    assert format_local(99999999999999) == "invalid"
