"""Sizes for people: ``1.0 kB`` as GLib's g_format_size writes them."""

from __future__ import annotations

from typing import NamedTuple

NO_BREAK_SPACE = "\u00a0"
_STEP = 1000


class _Unit(NamedTuple):
    bytes: int
    name: str


_UNITS = tuple(
    _Unit(_STEP**power, name)
    for power, name in ((6, "EB"), (5, "PB"), (4, "TB"), (3, "GB"), (2, "MB"), (1, "kB"))
)


def format_size(size: int) -> str:
    """Return ``N bytes`` below 1000, else one decimal with a decimal unit.

    Before the unit stands a no-break space, before ``bytes`` an ordinary one. Rounding does not
    carry into the next unit: 999950 is ``1000.0 kB``.
    """
    if size < _STEP:
        return "1 byte" if size == 1 else f"{size} bytes"
    unit = next(unit for unit in _UNITS if size >= unit.bytes)
    return f"{size / unit.bytes:.1f}{NO_BREAK_SPACE}{unit.name}"


def format_rate(total_bytes: int, elapsed_s: int) -> str:
    """Return the rate of a transfer as a size, without ``/s``; ``-`` when not known yet."""
    if total_bytes <= 0 or elapsed_s <= 0:
        return "-"
    return format_size(total_bytes // elapsed_s)


def format_duration(seconds: int) -> str:
    """Return ``1 days 2 hours 3 minutes 4 seconds `` (blank at the end), larger units if not 0."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    parts = [(days, "days"), (hour, "hours"), (minute, "minutes")]
    text = "".join(f"{count} {unit} " for count, unit in parts if count)
    return f"{text}{second} seconds "
