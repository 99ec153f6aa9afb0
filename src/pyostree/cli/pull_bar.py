"""The line on a terminal that shows how far a pull is: percent, a bar, what came, time left."""

from __future__ import annotations

from pyostree.cli.columns import cut_to
from pyostree.formats.sizes import NO_BREAK_SPACE, format_size
from pyostree.pull.meter import PullSnapshot
from pyostree.pull.progress import PullPhase, PullProgress
from pyostree.pull.progress_text import format_progress

# Content may come while the metadata is still scanned, if a commit says what there is.
_WITH_BAR = (PullPhase.SCAN, PullPhase.FETCH)
_MIN_BAR_COLUMNS = 10
_MAX_BAR_COLUMNS = 40
_BAR_FRAME_COLUMNS = 3  # the brackets, and the blank before them
_AMOUNT_COLUMNS = len("120.5/~267.1 MB")
_RATE_COLUMNS = len("120.5 MB/s")
_LEFT_COLUMNS = len("59 min 55 s left")
_ALL = 100
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 24 * 3600
# Seconds that change with every look cannot be read.
_SECONDS_STEP = 5


def format_bar(progress: PullProgress, snapshot: PullSnapshot, columns: int) -> str:
    """Return the line for a terminal of that width; without totals it is that of the reference."""
    percent = snapshot.percent
    if percent is None or snapshot.phase not in _WITH_BAR or progress.has_failed:
        return cut_to(_plain(format_progress(progress, _now_s(progress, snapshot))), columns)
    is_delta = progress.deltas.parts_done < progress.deltas.parts
    label = "Receiving delta parts:" if is_delta else "Receiving objects:"
    flow = [] if progress.is_local else [_amount(snapshot), _rate(snapshot.rate)]
    return _fit(label, percent, [_count(snapshot), *flow, _left(snapshot.eta_s)], columns)


def _fit(label: str, percent: int, fields: list[str], columns: int) -> str:
    """Return the richest line that fits: the label goes first, then counts, the bar last."""
    shown = f"{percent:3}%"
    choices = [(f"{label} {shown}", fields)]
    choices += [(shown, fields[first:]) for first in range(len(fields))]
    choices += [(shown, [field.rstrip() for field in fields[-1:]]), (shown, [])]
    for start, rest in choices:
        tail = "".join(f" {field}" for field in rest)
        room = columns - len(start) - len(tail) - _BAR_FRAME_COLUMNS
        if room >= _MIN_BAR_COLUMNS:
            return f"{start} [{_bar(percent, min(room, _MAX_BAR_COLUMNS))}]{tail}".rstrip()
    return cut_to(" ".join((f"{percent}%", *fields[-1:])), columns).rstrip()


def _bar(percent: int, columns: int) -> str:
    filled = columns * percent // _ALL
    head = "=" * filled if filled == columns else "=" * filled + ">"
    return f"{head:<{columns}}"


# Fields keep their width while numbers grow or are not known yet, or else the bar would dance.


def _count(snapshot: PullSnapshot) -> str:
    total = str(snapshot.objects_total)
    return f"{snapshot.objects:>{len(total)}}/{total}"


def _amount(snapshot: PullSnapshot) -> str:
    """Return ``1.2/34.5 MB``, with ``~`` before a total that is estimated."""
    done = _plain(format_size(snapshot.bytes_done))
    if snapshot.bytes_total is None:
        return (done if snapshot.bytes_done else "").ljust(_AMOUNT_COLUMNS)
    total = _plain(format_size(snapshot.bytes_total))
    number, _, unit = done.partition(" ")
    done = number if total.endswith(f" {unit}") else done
    return f"{done:>5}/{'~' if snapshot.is_estimate else ''}{total}".ljust(_AMOUNT_COLUMNS)


def _rate(rate: int | None) -> str:
    return (f"{_plain(format_size(rate))}/s" if rate else "").rjust(_RATE_COLUMNS)


def _left(seconds: int | None) -> str:
    return ("" if seconds is None else f"{_duration(seconds)} left").ljust(_LEFT_COLUMNS)


def _duration(seconds: int) -> str:
    if seconds > _DAY_S:
        return "more than a day"
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    minutes, second = divmod(seconds // _SECONDS_STEP * _SECONDS_STEP, _MINUTE_S)
    if seconds < _HOUR_S:
        return f"{minutes} min {second} s"
    return f"{minutes // _MINUTE_S} h {minutes % _MINUTE_S} min"


def _plain(text: str) -> str:
    return text.replace(NO_BREAK_SPACE, " ")


def _now_s(progress: PullProgress, snapshot: PullSnapshot) -> float:
    return progress.started_s + snapshot.elapsed_s
