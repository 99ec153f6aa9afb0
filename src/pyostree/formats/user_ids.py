"""User ids of OpenPGP keys: ``Name (comment) <address>``, or less, or more.

Source: what GPGME reports of ids of all kinds, recorded in ``tests/unit/test_user_ids.py``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_BLANKS = " \t\n\v\f\r"
# Ranges are of ASCII only: one up to the last character takes 20 ms to compile.
_NOT_IN_LOCAL = r"\x00-\x20\"(),:;<>@\[\\\]\x7f"
_NOT_IN_DOMAIN = r"\x00-,/:-@\[-`{-\x7f"
_MAILBOX = re.compile(rf"(?!.*\.\.)[^{_NOT_IN_LOCAL}]+@[^{_NOT_IN_DOMAIN}]*[^.{_NOT_IN_DOMAIN}]")


class UserIdParts(NamedTuple):
    """Parts of a user id; empty where it has none."""

    name: str
    email: str


def parse_user_id(text: str) -> UserIdParts:
    """Return the first of each part; an id that is an address alone has no name."""
    name = comment = email = ""
    rest = text
    while rest:
        if rest[0] == "(":
            found, rest = _take_comment(rest)
            comment = comment or found
        elif rest[0] == "<":
            found, closed, rest = rest[1:].partition(">")
            email = email or (found.rstrip(_BLANKS) if closed else "")
        else:
            end = min(at for at in (rest.find("("), rest.find("<"), len(rest)) if at >= 0)
            name = name or rest[:end].strip(_BLANKS)
            rest = rest[end:]
    if not email and not comment and _MAILBOX.fullmatch(name):
        return UserIdParts("", name)
    return UserIdParts(name, email)


def parse_address(text: str) -> str:
    """Return the mail address in lower case; empty where it is none that mail could reach."""
    inside = text.partition("<")[2].partition(">")[0] if "<" in text else text
    if not _MAILBOX.fullmatch(inside):
        return ""
    return "".join(char.lower() if char.isascii() else char for char in inside)


def _take_comment(text: str) -> tuple[str, str]:
    """Return what stands in the first parentheses, which nest, and what follows them."""
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if not depth:
            return text[1:at], text[at + 1 :]
    return "", ""
