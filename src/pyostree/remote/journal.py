"""What the system's journal is told about downloads that failed."""

from __future__ import annotations

import re

from pyostree.errors import FetchError
from pyostree.fs.journal import PRIORITY_ERROR, JournalEntry, write_journal

_FAILED_ID = "f02bce89a54e4efab3a94a797d26204a"
_CODE = re.compile(r"^\[\d+\] ")  # libcurl's number of an error, which only people are shown


def note_failed_fetch(remote: str, url: str, err: FetchError) -> None:
    """Tell the journal that a download failed in the end."""
    text = _CODE.sub("", str(err).removeprefix(f"While fetching {url}: "))
    write_journal(
        JournalEntry(
            f"libostree HTTP error from remote {remote} for <{url}>: {text}",
            _FAILED_ID,
            PRIORITY_ERROR,
            {"OSTREE_REMOTE": remote, "OSTREE_URL": url},
        )
    )
