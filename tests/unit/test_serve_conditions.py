"""Conditional requests and ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.serve.conditions import RangeError, find_range, is_refused, is_unchanged

ETAG = '"abc"'
WHEN = 1_795_400_000  # Mon, 23 Nov 2026 02:13:20 GMT


@pytest.mark.parametrize(
    ("headers", "unchanged"),
    [
        ({}, False),
        ({"if-none-match": '"abc"'}, True),
        ({"if-none-match": 'W/"abc"'}, True),
        ({"if-none-match": '"x", "abc"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"abcd"'}, False),
        ({"if-none-match": "abc"}, False),
        ({"if-modified-since": "Wed, 22 Nov 2026 22:13:20 GMT"}, False),
        ({"if-modified-since": "Mon, 23 Nov 2026 02:13:20 GMT"}, True),
        ({"if-modified-since": "Mon, 23 Nov 2026 02:13:19 UTC"}, False),
        ({"if-modified-since": "Mon, 23 Nov 2026 02:13:20 UTC"}, True),
        ({"if-modified-since": "yesterday"}, False),
        # The tag decides when there are both.
        ({"if-none-match": '"x"', "if-modified-since": "Mon, 23 Nov 2026 02:13:20 GMT"}, False),
        ({"if-none-match": '"abc"', "if-modified-since": "Mon, 23 Nov 1998 02:13:20 GMT"}, True),
    ],
)
def test_is_unchanged(headers: dict[str, str], unchanged: bool) -> None:
    assert is_unchanged(headers, ETAG, WHEN) is unchanged


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"if-match": '"abc"'}, False),
        ({"if-match": '"x"'}, True),
        ({"if-unmodified-since": "Mon, 23 Nov 2026 02:13:20 GMT"}, False),
        ({"if-unmodified-since": "Mon, 23 Nov 2026 02:13:19 GMT"}, True),
    ],
)
def test_is_refused(headers: dict[str, str], refused: bool) -> None:
    assert is_refused(headers, ETAG, WHEN) is refused


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-5", (2, 6)),
        ("bytes=5-", (5, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=3-1000", (3, 10)),
        ("bytes=0-1,4-5", None),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("lines=0-1", None),
        ("bytes", None),
        ("bytes=0-99999999999999999999999999", None),
    ],
)
def test_find_range(text: str, part: tuple[int, int] | None) -> None:
    assert find_range({"range": text}, 10, ETAG, WHEN) == part


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_find_range_nothing_there_is_an_error(text: str) -> None:
    with pytest.raises(RangeError):
        find_range({"range": text}, 10, ETAG, WHEN)


@pytest.mark.parametrize(
    ("version", "part"),
    [
        ('"abc"', (1, 3)),
        ('"x"', None),
        ('W/"abc"', None),
        ("Mon, 23 Nov 2026 02:13:20 GMT", (1, 3)),
        ("Mon, 23 Nov 2026 02:13:21 GMT", None),
    ],
)
def test_find_range_of_another_version_is_everything(
    version: str, part: tuple[int, int] | None
) -> None:
    assert find_range({"range": "bytes=1-2", "if-range": version}, 10, ETAG, WHEN) == part


@given(st.text(), st.integers(min_value=0, max_value=1 << 70))
def test_find_range_any_text_is_inside_or_refused(text: str, size: int) -> None:
    for spec in (text, f"bytes={text}"):
        try:
            part = find_range({"range": spec}, size, ETAG, None)
        except RangeError:
            continue
        assert part is None or 0 <= part[0] < part[1] <= size
