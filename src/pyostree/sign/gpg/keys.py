"""Keys as ``gpg --with-colons`` lists them.

Source: "Format of the colon listings" in GnuPG's doc/DETAILS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pyostree.formats.user_ids import parse_address, parse_user_id
from pyostree.sign.gpg.printable import printable

MIN_ID_LENGTH = 8  # less names too many keys
_FIELDS = 12
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")


class SubKey(NamedTuple):
    """A primary key or subkey.

    Attributes:
        validity: one letter, such as ``r`` for revoked and ``e`` for expired.
        created: seconds since 1970; `expires` likewise, 0 for never.
    """

    fingerprint: str
    key_id: str
    validity: str
    created: int
    expires: int


class UserId(NamedTuple):
    """Whom a key belongs to, as it says itself."""

    text: str
    validity: str

    @property
    def name(self) -> str:
        """The name in front of comment and address."""
        return parse_user_id(self.text).name

    @property
    def email(self) -> str:
        """The address in angle brackets; empty without one."""
        return parse_user_id(self.text).email

    @property
    def address(self) -> str:
        """The same in lower case if mail could reach it, else empty."""
        return parse_address(self.text)


class Key(NamedTuple):
    """A key with its subkeys, the primary key first, and its user ids."""

    subkeys: tuple[SubKey, ...]
    user_ids: tuple[UserId, ...]

    @property
    def primary(self) -> SubKey:
        """The primary key."""
        return self.subkeys[0]

    def find(self, fingerprint: str) -> SubKey | None:
        """Return the subkey with a fingerprint, or with a key id."""
        return next((key for key in self.subkeys if key.fingerprint.endswith(fingerprint)), None)


def parse_keys(lines: Iterable[str]) -> tuple[Key, ...]:
    """Return the keys of a listing in its order; of public or of secret keys."""
    keys: list[tuple[list[SubKey], list[UserId]]] = []
    for line in lines:
        fields = line.split(":")
        if len(fields) < _FIELDS - 2:
            continue
        kind = fields[0]
        if kind in ("pub", "sec"):
            keys.append(([_subkey(fields)], []))
        elif not keys:
            continue
        elif kind in ("sub", "ssb"):
            keys[-1][0].append(_subkey(fields))
        elif kind == "fpr":
            subkeys = keys[-1][0]
            if not subkeys[-1].fingerprint:
                subkeys[-1] = subkeys[-1]._replace(fingerprint=fields[9])
        elif kind == "uid":
            keys[-1][1].append(UserId(_unescape(fields[9]), fields[1]))
    return tuple(Key(tuple(subkeys), tuple(user_ids)) for subkeys, user_ids in keys)


def _subkey(fields: list[str]) -> SubKey:
    return SubKey("", fields[4], fields[1], _number(fields[5]), _number(fields[6]))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _unescape(text: str) -> str:
    """Return the text, of which nothing stays escaped but what would fool who reads it."""
    data = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text.encode())
    return printable(data.decode("utf-8", "replace"))
