"""``SOURCE_DATE_EPOCH``: the time that reproducible builds put into what they make."""

from __future__ import annotations

import re

from pyostree.errors import FormatError, doing

_LEADING_NUMBER = re.compile(r"\s*([+-]?[0-9]+)")
_I64_MIN, _I64_MAX = -(1 << 63), (1 << 63) - 1


def parse_source_date_epoch(text: str) -> int:
    """Return the seconds since 1970 UTC with which `text` begins; what follows is ignored.

    Raises:
        FormatError: no digits, or a number that fits no 64-bit integer.
    """
    found = _LEADING_NUMBER.match(text)
    if found is None:
        raise FormatError("Failed to convert SOURCE_DATE_EPOCH")
    value = int(found.group(1)) if len(found.group(1)) < 32 else _I64_MAX + 1  # noqa: PLR2004
    if not _I64_MIN <= value <= _I64_MAX:
        with doing("Parsing SOURCE_DATE_EPOCH"):
            raise FormatError("Numerical result out of range")
    return value
