"""How the conformance runner judges a test file."""

from __future__ import annotations

import pytest

from conformance.tap import judge, parse_tap


@pytest.mark.parametrize(
    ("text", "exit_code", "verdict"),
    [
        ("1..2\nok 1\nok 2 - x\n", 0, "pass"),
        ("ok 1\nnoise\nok 2\n1..2\n", 0, "pass"),
        ("1..2\nok 1\nok # SKIP no xattrs\n", 0, "pass"),
        ("1..2\nok 1\n", 0, "fail"),
        ("1..1\nok 1\nok 2\n", 0, "fail"),
        ("1..1\nnot ok 1\n", 0, "fail"),
        ("1..1\nok 1\n", 1, "fail"),
        ("ok 1\n", 0, "fail"),
        ("", 0, "fail"),
        ("1..0 # SKIP no fuse\n", 0, "skip"),
        ("1..0 #SKIP no gpg\n", 0, "skip"),
        ("1..1\nok # SKIP no xattrs\n", 0, "skip"),
        ("1..1\nok 1\n", None, "timeout"),
    ],
)
def test_judge_file_passes_only_with_its_plan_fulfilled(
    text: str, exit_code: int | None, verdict: str
) -> None:
    assert judge(parse_tap(text), exit_code=exit_code) == verdict
