"""Cookies sent to a remote: ``NAME.cookies.txt`` in the repository, in Netscape's format.

One cookie to a line, seven fields separated by tabs: domain, whether subdomains get it, path,
whether only over TLS, expiry in seconds since 1970 UTC, name, value.
"""

from __future__ import annotations

import re
import stat
import time
from typing import NamedTuple

from pyostree.errors import InvalidNameError, NotFoundError
from pyostree.formats.refspec import check_remote_name
from pyostree.repo.repo import Repo

_FIELDS = 7
_LIFETIME_S = 25 * 365 * 24 * 60 * 60
_MAX_FILE_BYTES = 1 << 20
_NUMBER = re.compile(r"-?[0-9]+", re.ASCII)
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
    return [cookie for _, cookie in _read_lines(repo, remote)]


def _read_lines(repo: Repo, remote: str) -> list[tuple[str, Cookie]]:
    """Return the lines that are cookies, as they are and as what they mean."""
    try:
        data = repo.dir.read_file(_file_name(remote), max_bytes=_MAX_FILE_BYTES)
    except FileNotFoundError:
        return []
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    found = ((line, _parse_line(line)) for line in lines)
    return [(line, cookie) for line, cookie in found if cookie is not None]


def _parse_line(line: str) -> Cookie | None:
    # Other programs separate fields by any blanks; only tabs allow for blanks in a path or value.
    for fields in (line.split("\t"), line.split()):
        if len(fields) >= _FIELDS and _NUMBER.fullmatch(fields[4]):
            return Cookie(*fields[:_FIELDS])
    return None


def add_cookie(repo: Repo, remote: str, cookie: Cookie) -> None:
    """Append a cookie; what the file has is left as it is."""
    name = _file_name(remote)
    mode, old = _PUBLIC, b""
    if repo.dir.exists(name):
        mode = stat.S_IMODE(repo.dir.stat(name, follow=True).st_mode)
        old = repo.dir.read_file(name, max_bytes=_MAX_FILE_BYTES)
    if old and not old.endswith(b"\n"):
        old += b"\n"
    repo.dir.replace_file(name, old + _encode(["\t".join(cookie)]), mode=mode, sync=repo.fsync)


def delete_cookie(repo: Repo, remote: str, *, domain: str, path: str, name: str) -> None:
    """Remove a cookie; lines that are no cookies go, too.

    Raises:
        NotFoundError: there was none.
    """
    lines = _read_lines(repo, remote)
    kept = [line for line, cookie in lines if not cookie.is_same(domain, path, name)]
    # The reference leaves a file that nobody else can read, too.
    repo.dir.replace_file(_file_name(remote), _encode(kept), mode=_PRIVATE, sync=repo.fsync)
    if len(kept) == len(lines):
        raise NotFoundError("Cookie not found in jar")


def _encode(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _file_name(remote: str) -> str:
    check_remote_name(remote)
    return f"{remote}.cookies.txt"
