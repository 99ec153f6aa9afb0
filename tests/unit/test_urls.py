"""Base URLs: what is accepted, how paths are appended, where passwords show."""

from __future__ import annotations

import pytest

from pyostree.errors import FormatError
from pyostree.remote.urls import parse_base_url, parse_url


@pytest.mark.parametrize(
    ("text", "path", "secret", "shown"),
    [
        ("http://h/r", "a/b", "http://h/r/a/b", "http://h/r/a/b"),
        ("http://h/r/", "a", "http://h/r/a", "http://h/r/a"),
        ("HTTP://h:80/r", "a", "http://h/r/a", "http://h/r/a"),
        ("https://h:8443", "a", "https://h:8443/a", "https://h:8443/a"),
        ("http://u:p@h/r", "a", "http://u:p@h/r/a", "http://u@h/r/a"),
        ("http://[::1]:1/r", "a", "http://[::1]:1/r/a", "http://[::1]:1/r/a"),
        ("http://h/r?x=y", "a", "http://h/r?x=y/a", "http://h/r?x=y/a"),
        ("http://h/a b", "c", "http://h/a%20b/c", "http://h/a%20b/c"),
        ("file:///srv/r", "a", "file:///srv/r/a", "file:///srv/r/a"),
        ("file:///", "a", "file:///a", "file:///a"),
        ("http://h/r", "", "http://h/r", "http://h/r"),
        ("http://h/r", "deltas/a+b", "http://h/r/deltas/a+b", "http://h/r/deltas/a+b"),
    ],
)
def test_join(text: str, path: str, secret: str, shown: str) -> None:
    url = parse_base_url(text).join(path)
    assert (url.secret, str(url)) == (secret, shown)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("srv", "URI is not absolute, and no base URI was provided"),
        ("", "URI is not absolute, and no base URI was provided"),
        ("ftp://u:pw@x/y", "Invalid URI scheme in ftp://u@x/y"),
        ("http://h:99999/", "Port ‘99999’ in URI is out of range"),
        ("http:///x", "Missing host in URI 'http:///x'"),
        ("http://h/\n", "Invalid character in URI 'http://h/?'"),
    ],
)
def test_bad_url(text: str, message: str) -> None:
    with pytest.raises(FormatError) as failed:
        parse_base_url(text)
    assert str(failed.value) == message


def test_parent() -> None:
    assert str(parse_url("http://u:p@h/a/summary").parent()) == "http://u@h/a"
