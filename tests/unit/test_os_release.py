"""``os-release``: assignments unquoted as a shell would."""

from __future__ import annotations

import pytest

from pyostree.formats.os_release import parse_os_release, unquote_shell


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ('"TestOS 42"', "TestOS 42"),
        ("'it''s'", "its"),
        ("'a\\b'", "a\\b"),
        ('"a\\"b\\$c\\d"', 'a"b$c\\d'),
        ("a\\ b", "a b"),
        ('"open', None),
        ("'open", None),
        ('x"y"z', "xyz"),
    ],
)
def test_unquote_shell(text: str, expected: str | None) -> None:
    assert unquote_shell(text) == expected


def test_parse_os_release_skips_comments_and_bad_lines_last_wins() -> None:
    data = b'# C=1\nID=one\nBROKEN="x\nnothing\nID=two\nPRETTY_NAME="caf\xc3\xa9"\n'
    assert parse_os_release(data) == {"ID": "two", "PRETTY_NAME": "café"}
