"""`BaseUrl`: where a repository lies on the network, with its password kept out of messages.

Request URLs are the base as it was given, a slash and a path relative to the repository. Nothing is
percent-encoded: the names of static deltas contain ``+``, and existing servers know them so.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pyostree.errors import FormatError

SCHEMES = ("http", "https", "file")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# RFC 3986: scheme, authority (user info, host, port), the rest.
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):"
    r"(?://(?:(?P<user>[^/?#@]*)@)?(?P<host>\[[^\]/?#]*\]|[^/?#@:]*)(?P<port>:[0-9]*)?"
    r"(?=[/?#]|\Z))?"
    r"(?P<rest>.*)\Z",
    re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_MAX_PORT, _MAX_PORT_DIGITS = 65535, 5


class BaseUrl(NamedTuple):
    """An absolute URL; as text without the password.

    Attributes:
        scheme: in lower case.
        secret: the whole URL as it is requested.
        shown: the same without the password.
    """

    scheme: str
    secret: str
    shown: str

    def __str__(self) -> str:
        return self.shown

    def join(self, path: str) -> BaseUrl:
        """Return the URL of `path` below this one; an empty path is this URL itself."""
        if not path:
            return self
        tail = path.lstrip("/")
        return BaseUrl(self.scheme, _with_slash(self.secret) + tail, _with_slash(self.shown) + tail)

    @property
    def local_path(self) -> str | None:
        """Path of a ``file:`` URL, percent-decoded; None for any other."""
        if self.scheme != "file":
            return None
        from urllib.parse import unquote  # slow to import

        path = self.secret.partition(":")[2].removeprefix("//").partition("#")[0]
        return unquote(path[path.find("/") :], errors="surrogateescape")

    def parent(self) -> BaseUrl:
        """Return the URL without its last path component."""
        cut = len(self.secret) - self.secret.rfind("/")
        return BaseUrl(self.scheme, self.secret[:-cut], self.shown[:-cut])


def _with_slash(url: str) -> str:
    """Return `url` with one slash at its end; ``file:///`` keeps its three."""
    stripped = url.rstrip("/")
    return f"{stripped}///" if stripped.endswith(":") else f"{stripped}/"


def parse_url(text: str) -> BaseUrl:
    """Return an absolute URL of any scheme.

    Raises:
        FormatError: it cannot be parsed, in the words of GLib.
    """
    text = text.strip(" ").replace(" ", "%20")
    found = _URL.match(text)
    if found is None:
        raise FormatError("URI is not absolute, and no base URI was provided")
    if _CONTROL.search(text):
        raise FormatError(f"Invalid character in URI '{_CONTROL.sub('?', text)}'")
    scheme, user, host = found["scheme"].lower(), found["user"], found["host"]
    if host is None:
        url = f"{scheme}:{found['rest']}"
        return BaseUrl(scheme, url, url)
    port = found["port"] or ""
    if port in ("", ":", _DEFAULT_PORTS.get(scheme)):
        port = ""
    elif not _is_port(port[1:].lstrip("0")):
        raise FormatError(f"Port ‘{port[1:]}’ in URI is out of range")
    if scheme in _DEFAULT_PORTS and not host:
        raise FormatError(f"Missing host in URI '{scheme}://{found['rest']}'")
    place = f"{host}{port}{found['rest']}"
    if user is None:
        return BaseUrl(scheme, f"{scheme}://{place}", f"{scheme}://{place}")
    name = user.partition(":")[0]
    return BaseUrl(scheme, f"{scheme}://{user}@{place}", f"{scheme}://{name}@{place}")


def _is_port(digits: str) -> bool:
    return len(digits) <= _MAX_PORT_DIGITS and int(digits or "0") <= _MAX_PORT


def parse_base_url(text: str) -> BaseUrl:
    """Return the URL of a repository.

    Raises:
        FormatError: it cannot be parsed, or its scheme is not http, https or file.
    """
    url = parse_url(text)
    if url.scheme not in SCHEMES:
        raise FormatError(f"Invalid URI scheme in {url}")
    return url
