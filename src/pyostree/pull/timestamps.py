"""Timestamp checks: no silent way back to an older commit."""

from __future__ import annotations

from pyostree.errors import VerificationError
from pyostree.formats.objects import Checksum

# The format's dates go from year 1 to 9999.
_MIN_TIMESTAMP = -62135596800
_MAX_TIMESTAMP = 253402300799


def check_not_older(old: Checksum, old_time: int, new: Checksum, new_time: int) -> None:
    """Raise `VerificationError` when the commit `new` is older than `old`; times in seconds."""
    if old == new:
        return
    if not (_is_date(old_time) and _is_date(new_time)):
        raise VerificationError(
            f"Upgrade target revision '{new}' timestamp ({new_time}) or "
            f"current revision '{old}' timestamp ({old_time}) is invalid"
        )
    if new_time < old_time:
        raise VerificationError(
            f"Upgrade target revision '{new}' with timestamp '{_shown(new_time)}' is "
            f"chronologically older than current revision '{old}' with timestamp "
            f"'{_shown(old_time)}'; use --allow-downgrade to permit"
        )


def _is_date(timestamp: int) -> bool:
    return _MIN_TIMESTAMP <= timestamp <= _MAX_TIMESTAMP


def _shown(timestamp: int) -> str:
    from pyostree.sign.gpg.result import format_time  # hardly ever needed

    return format_time(timestamp, is_utc=True) or str(timestamp)
