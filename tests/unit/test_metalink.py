"""Metalinks and mirror lists as text; the messages are the reference's."""

from __future__ import annotations

import hashlib

import pytest

from pyostree.errors import FetchError, FormatError, NotFoundError
from pyostree.remote.metalink import parse_metalink
from pyostree.remote.mirrorlist import parse_mirrorlist

CONTENT = b"summary"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
URL = '<url protocol="http" type="http" location="US" preference="1">http://h/r/summary</url>'
HASHES = f'<hash type="md5">x</hash><hash type="sha256">{SHA256}</hash>'


def document(
    *, size: str = "7", hashes: str = HASHES, urls: str = URL, name: str = "summary"
) -> bytes:
    return (
        '<?xml version="1.0"?>\n<metalink version="3.0" xmlns="http://www.metalinker.org/">\n'
        f'<other><files><file name="x"/></files></other><files>\n<file name="{name}"><size>{size}'
        f"</size><verification>{hashes}</verification>\n"
        f'<resources maxconnections="1">\n{urls}</resources></file></files></metalink>'
    ).encode()


def test_parse_whole() -> None:
    found = parse_metalink(document(), "summary")
    assert (found.size, found.sha256, found.sha512) == (7, SHA256, None)
    assert [str(url) for url in found.urls] == ["http://h/r/summary"]
    found.check(CONTENT)


@pytest.mark.parametrize(("data", "message"), [
    (b"12", "Expected size is 7 bytes but content is 2 bytes"),
    (b"summarx", "Expected checksum is "),
])  # fmt: skip
def test_check_wrong_content(data: bytes, message: str) -> None:
    with pytest.raises(FetchError, match=message):
        parse_metalink(document(), "summary").check(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (document(size="0"), "No <size> element found or it is zero"),
        (document(hashes='<hash type="md5">x</hash>'), "No <verification> element with known"),
        (document(hashes=HASHES + '<hash type="md5">x</hash>'), "No <verification> element with"),
        (document(hashes='<hash type="sha256">12</hash>'), "Invalid hash digest for sha256"),
        (document(urls=""), "No <url method='http'> elements found"),
        (document(urls=URL.replace(' preference="1"', "")), "requires attribute 'preference'"),
        (document(urls=URL.replace(" type", ' foo="" type')), "attribute 'foo' invalid"),
        (document(urls=URL.replace('"http"', '"ftp"', 1)), "No <url method='http'> elements"),
        (b"<a/>", "No <file> element found"),
        (b"<metalink", "No <file> element found"),
        (b"", "No <file> element found"),
        (b"<metalink></files>", "Error on line 1"),
        (b'<!DOCTYPE m [<!ENTITY a "b">]><metalink/>', "entities are not allowed"),
    ],
)
def test_bad_document(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as failed:
        parse_metalink(data, "summary")
    assert message in str(failed.value)


def test_other_files_only_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="No <file name='summary'> found"):
        parse_metalink(document(name="other"), "summary")


def test_mirrorlist_skips_what_is_no_url() -> None:
    text = b"# c\n\nfoo\n http://a/\nftp://b/\nhttp://c/x\nhttps://d\n"
    assert [str(url) for url in parse_mirrorlist(text)] == ["http://c/x", "https://d"]


def test_mirrorlist_bad_utf8_is_refused() -> None:
    with pytest.raises(FormatError, match=r"^Invalid UTF-8$"):
        parse_mirrorlist(b"\xff")
