"""Metalinks and mirror lists as text; the messages are the reference's."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault.scripted_server import Reply, ScriptedServer, scripted_server
from pyostree.errors import FetchError, FormatError, NotFoundError
from pyostree.fs.dir import Dir
from pyostree.remote.curl import CurlFetcher, open_fetcher
from pyostree.remote.fetch import FetchSettings
from pyostree.remote.metalink import fetch_metalink, parse_metalink
from pyostree.remote.mirrorlist import fetch_mirrorlist, parse_mirrorlist
from pyostree.remote.urls import parse_url

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


def test_size_is_not_changed_after_the_fact() -> None:
    data = document().replace(b"</resources>", b"</resources><size>0</size>")
    assert parse_metalink(data, "summary").size == 7


def test_metalink_names_a_bounded_number_of_urls() -> None:
    assert len(parse_metalink(document(urls=URL * 1000), "summary").urls) == 256


@pytest.mark.parametrize("digits", ["70000", "0" * 5000 + "70000", "1" * 5000], ids=len)
def test_absurd_port_is_no_url(digits: str) -> None:
    with pytest.raises(FormatError, match="in URI is out of range"):
        parse_url(f"http://a:{digits}/")
    assert [str(url) for url in parse_mirrorlist(f"http://a:{digits}/\nhttp://b\n".encode())] == [
        "http://b"
    ]


class TestOverTheNetwork:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[ScriptedServer]:
        (tmp_path / "www").mkdir()
        (tmp_path / "www/summary").write_bytes(CONTENT)
        with scripted_server(tmp_path / "www") as running:
            yield running

    @pytest.fixture
    def fetcher(self, tmp_path: Path) -> Iterator[CurlFetcher]:
        with Dir.at(tmp_path) as temp, open_fetcher(FetchSettings(), temp) as running:
            yield running

    def serve(self, server: ScriptedServer, *urls: str, size: int = len(CONTENT)) -> str:
        links = "".join(URL.replace("http://h/r/summary", url) for url in urls)
        body = document(urls=links, size=str(size))
        server.faults["/links.xml"] = lambda _: Reply(body)
        return f"{server.url}/links.xml"

    def test_size_that_is_too_small_is_told(
        self, fetcher: CurlFetcher, server: ScriptedServer
    ) -> None:
        text = self.serve(server, f"{server.url}/summary", size=5)
        with pytest.raises(FetchError, match="Expected size is 5 bytes but content is 7 bytes"):
            fetch_metalink(fetcher, text)

    def test_endless_target_is_cut(self, fetcher: CurlFetcher, server: ScriptedServer) -> None:
        server.faults["/summary"] = lambda _: Reply(bytes(65536), is_endless=True)
        text = self.serve(server, f"{server.url}/summary")
        with pytest.raises(FetchError, match="exceeded maximum size of 1048583 bytes"):
            fetch_metalink(fetcher, text)
        assert fetcher.bytes_transferred < 4 << 20

    def test_local_files_are_for_local_metalinks(
        self, tmp_path: Path, fetcher: CurlFetcher, server: ScriptedServer
    ) -> None:
        target = f"file://{tmp_path}/www/summary"
        text = self.serve(server, target)
        with pytest.raises(FormatError, match=r"No <url method='http'> elements found"):
            fetch_metalink(fetcher, text)
        local = tmp_path / "links.xml"
        local.write_bytes(document(urls=URL.replace("http://h/r/summary", target)))
        assert fetch_metalink(fetcher, f"file://{local}").data == CONTENT

    def test_dead_mirrors_cost_no_time(self, fetcher: CurlFetcher, server: ScriptedServer) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # nobody listens there
            dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
            started_s = time.monotonic()
            text = self.serve(server, *[f"{dead}/summary"] * 10, f"{server.url}/summary")
            assert fetch_metalink(fetcher, text).data == CONTENT
            mirrors = "\n".join([dead] * 10 + [server.url])
            server.faults["/mirrors"] = lambda _: Reply(mirrors.encode())
            server.faults["/config"] = lambda _: Reply(b"")
            found = fetch_mirrorlist(fetcher, f"{server.url}/mirrors")
            assert [str(url) for url in found] == [server.url]
            assert time.monotonic() - started_s < 2
