"""``commit --timestamp`` understands dates as the reference does, in several time zones."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from pyostree.errors import FormatError
from pyostree.formats.dates import parse_date
from repo_lab import must, reference, run_process

TEXTS = [
    "2023-11-15 12:34:56 EST", "2023-07-15 12:00", "15 Nov", "11/15", "monday", "last sun", "5",
    "tomorrow 10:00 UTC", "now UTC", "1 month ago", "6 months", "6 months ago", "2023-03-26 02:30",
    "2023-10-29 02:30", "2023-03-12 02:30", "2023-11-05 01:30", "2023-11-05 01:30 EST",
    "2023-07-15 12:00 CEST", "2023-07-15 12:00 CET", "2023-07-15 12:00 EDT", "200 days ago 12:00",
    "2023-03-25 02:30 1 day", "5000 hours ago", "1950-06-01 12:00", "2200-07-01 12:00",
    'TZ="America/New_York" now', 'TZ="Europe/Berlin" 2023-10-29 02:30 CEST', "12:00 +100", "23-1",
    "1 month ago UTC", "6 months ago CET", "-1 month UTC DST", "month ago gmt", "800 years ago",
    "CET +2400", "2023-11-22 01:30 17 days ago", "40 days ago EST", "EDT DST", "2023-07-01 EST DST",
]  # fmt: skip


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_same_moment_as_the_reference(zone: str, tmp_path: Path) -> None:
    repo, tree = tmp_path / "repo", tmp_path / "tree"
    tree.mkdir()
    must(reference("init", f"--repo={repo}", "--mode=archive"))
    for text in TEXTS:
        now = time.time()
        made = run_process("/usr/bin/ostree", "commit", f"--repo={repo}", "--orphan",
                           f"--timestamp={text}", f"--tree=dir={tree}")  # fmt: skip
        if made.status:
            with pytest.raises(FormatError) as refused:
                parse_date(text, now)
            assert made.err.strip() == f"error: {refused.value}"
            continue
        found = parse_date(text, now)
        log = must(reference("log", f"--repo={repo}", made.out.strip()))
        fields = re.search(r"Date:\s+(\S+ \S+) \+0000", log)
        assert fields is not None, text
        expected = datetime.fromisoformat(f"{fields[1]}+00:00").timestamp()
        assert abs(found - expected) < 5, text
