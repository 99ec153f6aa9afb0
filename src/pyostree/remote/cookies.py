"""Cookies sent to a remote: ``NAME.cookies.txt`` in the repository, in Netscape's format.

One cookie to a line, seven fields separated by tabs: domain, whether subdomains get it, path,
whether only over TLS, expiry in seconds since 1970 UTC, name, value.
"""

from __future__ import annotations

import stat
import time
from typing import NamedTuple

from pyostree.errors import InvalidNameError, NotFoundError
from pyostree.formats.refspec import check_remote_name
from pyostree.repo.repo import Repo

_FIELDS = 7
_LIFETIME_S = 25 * 365 * 24 * 60 * 60
_MAX_FILE_BYTES = 1 << 20
_PUBLIC, _PRIVATE = 0o644, 0o600


class Cookie(NamedTuple):
    """One cookie; all fields as text."""

    domain: str
    subdomains: str
    path: str
    secure: str
    expiry: str
    name: str
    value: str

    def is_same(self, domain: str, path: str, name: str) -> bool:
        """Tell whether this is the cookie of that place and name."""
        return (self.domain, self.path, self.name) == (domain, path, name)


def new_cookie(domain: str, path: str, name: str, value: str) -> Cookie:
    """Return a cookie that is valid for 25 years.

    Raises:
        InvalidNameError: a field has a tab or line break, or is empty.
    """
    for field in (domain, path, name, value):
        if not field.isprintable():
            raise InvalidNameError(f"Invalid character in cookie field '{field!a}'")
    if not (domain and path and name):
        raise InvalidNameError("Empty cookie field")
    subdomains = "TRUE" if domain.startswith(".") else "FALSE"
    expiry = str(int(time.time()) + _LIFETIME_S)
    return Cookie(domain, subdomains, path, "FALSE", expiry, name, value)


def read_cookies(repo: Repo, remote: str) -> list[Cookie]:
    """Return the cookies of a remote, which need not be configured."""
    try:
        data = repo.dir.read_file(_file_name(remote), max_bytes=_MAX_FILE_BYTES)
    except FileNotFoundError:
        return []
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    rows = [line.split(maxsplit=_FIELDS - 1) for line in lines]
    return [Cookie(*row) for row in rows if len(row) == _FIELDS]


def add_cookie(repo: Repo, remote: str, cookie: Cookie) -> None:
    """Append a cookie; what the file has is left as it is."""
    name = _file_name(remote)
    mode, old = _PUBLIC, b""
    if repo.dir.exists(name):
        mode = stat.S_IMODE(repo.dir.stat(name, follow=True).st_mode)
        old = repo.dir.read_file(name, max_bytes=_MAX_FILE_BYTES)
    if old and not old.endswith(b"\n"):
        old += b"\n"
    repo.dir.replace_file(name, old + _encode([cookie]), mode=mode, sync=repo.fsync)


def delete_cookie(repo: Repo, remote: str, *, domain: str, path: str, name: str) -> None:
    """Remove a cookie; lines that are no cookies go, too.

    Raises:
        NotFoundError: there was none.
    """
    cookies = read_cookies(repo, remote)
    kept = [cookie for cookie in cookies if not cookie.is_same(domain, path, name)]
    # The reference leaves a file that nobody else can read, too.
    repo.dir.replace_file(_file_name(remote), _encode(kept), mode=_PRIVATE, sync=repo.fsync)
    if len(kept) == len(cookies):
        raise NotFoundError("Cookie not found in jar")


def _encode(cookies: list[Cookie]) -> bytes:
    text = "".join("\t".join(cookie) + "\n" for cookie in cookies)
    return text.encode("utf-8", "surrogateescape")


def _file_name(remote: str) -> str:
    check_remote_name(remote)
    return f"{remote}.cookies.txt"
