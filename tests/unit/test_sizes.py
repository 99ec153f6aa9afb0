"""Sizes as GLib writes them."""

from __future__ import annotations

import pytest

from pyostree.formats.sizes import format_duration, format_rate, format_size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0\u00a0kB"),
        (999_949, "999.9\u00a0kB"),
        (999_950, "1000.0\u00a0kB"),
        (1_000_000, "1.0\u00a0MB"),
        (30 * 10**9, "30.0\u00a0GB"),
        (2**64 - 1, "18.4\u00a0EB"),
    ],
)
def test_format_size(size: int, text: str) -> None:
    assert format_size(size) == text


def test_format_rate_and_duration() -> None:
    assert format_rate(5000, 0) == "-"
    assert format_rate(5000, 2) == "2.5\u00a0kB"
    assert format_duration(59) == "59 seconds "
    assert format_duration(90061) == "1 days 1 hours 1 minutes 1 seconds "
