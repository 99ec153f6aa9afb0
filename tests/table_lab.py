"""Tables of command lines: each is run by both commands, and what comes of it is compared."""

from __future__ import annotations

import re
from pathlib import Path

LOCALE = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
# Our help says the same in other words; its layout is compared elsewhere.
USAGE = re.compile(r"(?ms)^Usage:\n  \S+.*?^  --version [^\n]*\n")


def read_table(path: Path) -> dict[str, list[str]]:
    """Return the command lines of each ``[section]``; comments and empty lines are left out."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in path.read_text().splitlines():
        if line.startswith("["):
            current = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            current.append(line)
    return found
