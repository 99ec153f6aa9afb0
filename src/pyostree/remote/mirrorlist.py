"""Mirror lists: text with one base URL per line, ``url=mirrorlist=URL`` in a remote."""

from __future__ import annotations

from pyostree.errors import FetchError, FormatError, doing
from pyostree.formats.objects import MAX_METADATA_BYTES
from pyostree.remote.fetch import Fetcher, FetchRequest, fetch_bytes
from pyostree.remote.urls import BaseUrl, parse_base_url, parse_url

MIRRORLIST = "mirrorlist="
_PROBE = "config"
_MAX_MIRRORS = 256  # nobody has more, and each that is dead takes its time
_MIRROR_SCHEMES = ("http", "https")


def fetch_bases(fetcher: Fetcher, text: str) -> tuple[BaseUrl, ...]:
    """Return the base URLs that a configured URL stands for: itself, or a list of mirrors.

    Raises:
        FetchError: the list cannot be got, or no mirror in it answers.
        FormatError: the URL cannot be parsed.
    """
    if text.startswith(MIRRORLIST):
        return fetch_mirrorlist(fetcher, text.removeprefix(MIRRORLIST))
    return (parse_base_url(text),)


def fetch_mirrorlist(fetcher: Fetcher, text: str) -> tuple[BaseUrl, ...]:
    """Return the mirrors that the list at a URL names, from the first that answers on.

    Only the first ones are tried out: the aim is to find one that works, not to visit all.

    Raises:
        FetchError: as `fetch_bases`.
        FormatError: the URL or the list cannot be parsed.
    """
    url = parse_base_url(text)
    with doing(f"While fetching mirrorlist '{url}'"):
        found = fetch_bytes(fetcher, FetchRequest("", (url,), MAX_METADATA_BYTES))
        listed = parse_mirrorlist(found or b"")
    for position, mirror in enumerate(listed):
        if _answers(fetcher, mirror, has_others=mirror is not listed[-1]):
            return listed[position:]
    raise FetchError(f"No valid mirrors were found in mirrorlist '{url}'")


def parse_mirrorlist(data: bytes) -> tuple[BaseUrl, ...]:
    """Return the usable URLs of a list; comments and lines that are no URL are skipped.

    Raises:
        FormatError: the list is not UTF-8.
    """
    try:
        text = data.partition(b"\0")[0].decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("Invalid UTF-8") from None
    mirrors = []
    for line in text.split("\n"):
        if not line or line[0] in "# \t":
            continue
        try:
            mirror = parse_url(line)
        except FormatError:
            continue
        if mirror.scheme in _MIRROR_SCHEMES:
            mirrors.append(mirror)
        if len(mirrors) == _MAX_MIRRORS:
            break
    return tuple(mirrors)


def _answers(fetcher: Fetcher, mirror: BaseUrl, *, has_others: bool) -> bool:
    request = FetchRequest(_PROBE, (mirror,), MAX_METADATA_BYTES, leaves_unreachable=has_others)
    try:
        config = fetch_bytes(fetcher, request)
        (config or b"").decode("utf-8")
    except (FetchError, UnicodeDecodeError):
        return False
    return True
