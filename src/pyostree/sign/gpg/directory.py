"""Web Key Directory: where the owner of a mail address publishes the key for it.

Source: draft-koch-openpgp-webkey-service, section 3.1.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple
from urllib.parse import quote

from pyostree.errors import FormatError

_ZBASE32 = "ybndrfg8ejkmcpqxot1uwisza345h769"


class DirectoryUrls(NamedTuple):
    """Both places where the key may be."""

    advanced: str
    direct: str


def directory_urls(address: str) -> DirectoryUrls:
    """Return where the key for a mail address would be.

    Raises:
        FormatError: it is not of the form ``LOCAL@DOMAIN``.
    """
    local, at, domain = address.partition("@")
    if not local or not at or not domain or "@" in domain:
        raise FormatError(f'Invalid email address "{address}"')
    digest = hashlib.sha1(_lower(local).encode(), usedforsecurity=False).digest()
    name = f"hu/{zbase32(digest)}?l={quote(local, safe='')}"
    return DirectoryUrls(
        f"https://openpgpkey.{domain}/.well-known/openpgpkey/{_lower(domain)}/{name}",
        f"https://{domain}/.well-known/openpgpkey/{name}",
    )


def zbase32(data: bytes) -> str:
    """Return the z-base-32 coding of whole groups of five bytes."""
    bits = "".join(f"{byte:08b}" for byte in data)
    return "".join(_ZBASE32[int(bits[i : i + 5], 2)] for i in range(0, len(bits), 5))


def _lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)
