"""How to reach a remote: its settings for the fetcher, its base URLs, what it demands."""

from __future__ import annotations

import os
from typing import NamedTuple

from pyostree.errors import ConfigError
from pyostree.remote.fetch import (
    DEFAULT_RETRIES,
    USER_AGENT,
    Fetcher,
    FetchSettings,
)
from pyostree.remote.mirrorlist import fetch_bases
from pyostree.remote.remotes import FILE_URL, Remotes
from pyostree.remote.urls import BaseUrl
from pyostree.repo.repo import Repo

_DEBUG_VARIABLE = "OSTREE_DEBUG_HTTP"
_OFF = ("", "false", "0")
_MAX_REQUESTS_KEY = "max-outstanding-fetcher-requests"
_RATE_KEY = "limit-rate"
_MAX_DIGITS = 18


class FetchOptions(NamedTuple):
    """What a caller wants beyond the configuration of the remote.

    Attributes:
        max_in_flight: requests at once; None: as many as the server answers quickly.
        max_bytes_per_s: limit over all requests together; None for none. Of both, the lower one
            counts of what is here and what the remote is configured for.
    """

    append_user_agent: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    retries: int = DEFAULT_RETRIES
    retry_all: bool = True
    low_speed_bytes: int = 1000
    low_speed_s: int = 30
    max_in_flight: int | None = None
    max_bytes_per_s: int | None = None
    compressed: bool = False
    verbose: bool = False


DEFAULT_OPTIONS = FetchOptions()


class Bases(NamedTuple):
    """Base URLs of a remote.

    Attributes:
        metadata: for summaries, refs, ``config`` and detached metadata.
        content: for everything else.
        summary: came along with a metalink; None otherwise.
    """

    metadata: tuple[BaseUrl, ...]
    content: tuple[BaseUrl, ...]
    summary: bytes | None = None


def fetch_settings(
    repo: Repo, remotes: Remotes, name: str, options: FetchOptions = DEFAULT_OPTIONS
) -> FetchSettings:
    """Return how to talk to a remote's servers.

    Raises:
        ConfigError: the remote names a client certificate without its key, or the reverse, or a
            limit that is no positive number.
    """
    cert = remotes.get(name, "tls-client-cert-path")
    key = remotes.get(name, "tls-client-key-path")
    if (cert is None) != (key is None):
        raise ConfigError(
            f'Remote "{name}" must specify both "tls-client-cert-path" and "tls-client-key-path"'
        )
    cookies = f"{name}.cookies.txt"
    has_cookies = "/" not in name and repo.dir.is_file(cookies)
    agent = USER_AGENT
    if options.append_user_agent:
        agent = f"{agent} {options.append_user_agent}"
    return FetchSettings(
        user_agent=agent,
        headers=options.headers,
        retries=options.retries,
        retry_all=options.retry_all,
        max_in_flight=_least(options.max_in_flight, _limit(remotes, name, _MAX_REQUESTS_KEY)),
        max_bytes_per_s=_least(options.max_bytes_per_s, _limit(remotes, name, _RATE_KEY)),
        low_speed_bytes=options.low_speed_bytes,
        low_speed_s=options.low_speed_s,
        http2=remotes.get_bool(name, "http2", True),
        http3=remotes.get_bool(name, "http3", False),
        compressed=options.compressed,
        # No stranger is to choose whom we talk to.
        follow_redirects=not remotes.is_temporary(name),
        proxy=remotes.get(name, "proxy") or None,
        tls_permissive=remotes.get_bool(name, "tls-permissive", False),
        tls_ca_path=remotes.get(name, "tls-ca-path"),
        tls_client_cert_path=cert,
        tls_client_key_path=key,
        cookies_path=repo.dir.proc_path(cookies) if has_cookies else None,
        verbose=options.verbose or _DEBUG_VARIABLE in os.environ,
        remote=None if name.startswith(FILE_URL) else name,
    )


def _limit(remotes: Remotes, name: str, key: str) -> int | None:
    text = remotes.get(name, key)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > _MAX_DIGITS or not int(text):
        raise ConfigError(f"Remote \"{name}\": {key} must be a positive number, not '{text}'")
    return int(text)


def _least(first: int | None, second: int | None) -> int | None:
    return min((limit for limit in (first, second) if limit is not None), default=None)


def resolve_bases(
    fetcher: Fetcher, remotes: Remotes, name: str, *, override_url: str | None = None
) -> Bases:
    """Return where to ask; a metalink or mirror list is read for that.

    Args:
        override_url: in place of the configured URLs, unless the remote has a metalink.

    Raises:
        ConfigError: the remote has no URL.
        FormatError: a URL or a list cannot be parsed.
        FetchError: a list cannot be got.
    """
    content_url = remotes.get(name, "contenturl")
    metalink = remotes.get(name, "metalink")
    summary: bytes | None = None
    metadata: tuple[BaseUrl, ...]
    if metalink is not None:
        from pyostree.remote.metalink import fetch_metalink  # few remotes have one

        found = fetch_metalink(fetcher, metalink)
        metadata, summary = (found.base,), found.data
    elif override_url is not None:
        metadata, content_url = fetch_bases(fetcher, override_url), None
    else:
        metadata = fetch_bases(fetcher, remotes.url(name))
    content = metadata if content_url is None else fetch_bases(fetcher, content_url)
    return Bases(metadata, content, summary)


class Demands(NamedTuple):
    """Which signatures a remote's configuration asks for."""

    gpg_commits: bool
    gpg_summary: bool
    engine_commits: bool
    engine_summary: bool


def read_demands(remotes: Remotes, name: str) -> Demands:
    """Return which signatures must be checked; a local repository by its URL demands none."""
    if name.startswith(FILE_URL):
        return Demands(False, False, False, False)
    return Demands(
        gpg_commits=remotes.get_bool(name, "gpg-verify", True),
        gpg_summary=remotes.get_bool(name, "gpg-verify-summary", False),
        engine_commits=is_engine_demanded(remotes, name, "sign-verify"),
        engine_summary=is_engine_demanded(remotes, name, "sign-verify-summary"),
    )


def is_engine_demanded(remotes: Remotes, name: str, option: str) -> bool:
    """Tell whether ``sign-verify`` or ``sign-verify-summary`` asks for anything, sensible or not.

    Args:
        option: which of them.
    """
    return not name.startswith(FILE_URL) and (remotes.get(name, option) or "") not in _OFF
