"""``SOURCE_DATE_EPOCH`` as C's strtoll would read it."""

from __future__ import annotations

import pytest

from pyostree.errors import FormatError, describe
from pyostree.formats.epoch import parse_source_date_epoch


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1700000000", 1700000000),
        ("42x", 42),
        ("  7", 7),
        ("+5", 5),
        ("-5", -5),
        ("-9223372036854775808", -(1 << 63)),
    ],
)
def test_parse_epoch(text: str, seconds: int) -> None:
    assert parse_source_date_epoch(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-", " ", "x42"])
def test_parse_epoch_without_digits_is_refused(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_source_date_epoch(text)
    assert describe(caught.value) == "Failed to convert SOURCE_DATE_EPOCH"


@pytest.mark.parametrize("text", ["99999999999999999999", "-9223372036854775809", "9" * 5000])
def test_parse_epoch_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_source_date_epoch(text)
    assert describe(caught.value) == ("Parsing SOURCE_DATE_EPOCH: Numerical result out of range")
