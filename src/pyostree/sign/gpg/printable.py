"""Text that others have written, made fit for a terminal."""

from __future__ import annotations

import re

# Controls, also those of eight bits (U+009B begins commands to a terminal); what separates lines;
# what lets text be shown in another order than it has.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Return the text with escapes, such as ``\x1b``, for what would fool who reads it."""
    return _UNPRINTABLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 1 << 8 else f"\\u{number:04x}"
