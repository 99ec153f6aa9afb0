"""The Gregorian calendar, before its time too: days since 1970 and dates."""

from __future__ import annotations

DAY_S = 86400
DAYS_PER_ERA = 146097  # 400 years
EPOCH_DAYS = 719468  # 0000-03-01 to 1970-01-01
_YEARS_PER_ERA = 400


def days_from_civil(year: int, month: int, day: int) -> int:
    """Return days since 1970-01-01; years begin in March so that leap days come last."""
    year -= month <= 2  # noqa: PLR2004
    era, year_of_era = divmod(year, _YEARS_PER_ERA)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * DAYS_PER_ERA + day_of_era - EPOCH_DAYS


def civil_from_days(days: int) -> tuple[int, int, int]:
    """Return year, month and day."""
    era, day_of_era = divmod(days + EPOCH_DAYS, DAYS_PER_ERA)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9  # noqa: PLR2004
    return era * _YEARS_PER_ERA + year_of_era + (month <= 2), month, day  # noqa: PLR2004
