"""The fetcher against servers as the world has them: HTTP versions, TLS, proxies, credentials."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fault.certificates import Authority, server_context
from fault.scripted_server import Reply, scripted_server
from pyostree.errors import FetchError
from pyostree.fs.dir import Dir
from pyostree.fs.journal import JournalEntry
from pyostree.remote.curl import CurlFetcher, open_fetcher
from pyostree.remote.fetch import (
    Completed,
    FetchRequest,
    FetchSettings,
    Validators,
    fetch_bytes,
    fetch_one,
)
from pyostree.remote.urls import parse_base_url
from server_lab import Nginx, Note, http3, nginx, tunnels

CONTENT = b"some content\n" * 100
NO_RETRY = FetchSettings(retries=0)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    base = tmp_path_factory.mktemp("nginx")
    root = base / "www"
    root.mkdir()
    (root / "file").write_bytes(CONTENT)
    (root / "a+b=c_d").write_bytes(CONTENT)
    (root / "large").write_bytes(bytes(range(256)) * 8_000)
    with nginx(root, base / "state") as running:
        yield running


@pytest.fixture(autouse=True)
def _no_notes(lab: Nginx) -> None:
    lab.forget()


def fetcher(settings: FetchSettings = NO_RETRY) -> CurlFetcher:
    return open_fetcher(settings, Dir.at("/dev/shm"))


def get(url: str, settings: FetchSettings = NO_RETRY, path: str = "file") -> Completed:
    with fetcher(settings) as running:
        return fetch_one(running, FetchRequest(path, (parse_base_url(url),)))


def content(done: Completed) -> bytes:
    assert done.error is None, done.error
    assert done.body is not None
    with done.body as body:
        return body.read()


def get_many(lab: Nginx, port: int, count: int, settings: FetchSettings) -> list[Note]:
    base = (parse_base_url(lab.url(port)),)
    with fetcher(settings) as running:
        for _ in range(count):
            running.submit(FetchRequest("file", base))
        while running.pending:
            for done in running.poll(5):
                assert content(done) == CONTENT
    return lab.notes(port, count)


def trusting(lab: Nginx, settings: FetchSettings = NO_RETRY) -> FetchSettings:
    return settings._replace(tls_ca_path=str(lab.authority.path))


class TestVersions:
    def test_http1_uses_connections_again(self, lab: Nginx) -> None:
        notes = get_many(lab, lab.ports.http, 200, NO_RETRY)
        assert {note.protocol for note in notes} == {"HTTP/1.1"}
        assert len({note.connection for note in notes}) <= 32

    def test_http2_shares_one_connection(self, lab: Nginx) -> None:
        notes = get_many(lab, lab.ports.good, 400, trusting(lab))
        assert {note.protocol for note in notes} == {"HTTP/2.0"}
        assert len({note.connection for note in notes}) <= 2

    def test_http2_switched_off(self, lab: Nginx) -> None:
        notes = get_many(lab, lab.ports.good, 20, trusting(lab)._replace(http2=False))
        assert {note.protocol for note in notes} == {"HTTP/1.1"}

    def test_http3(self, lab: Nginx, tmp_path: Path) -> None:
        with http3(lab.root, lab.authority.issue("quic")) as server:
            settings = trusting(lab)._replace(http3=True)
            with fetcher(settings) as running:
                base = (parse_base_url(server.url),)
                for path in ["file"] * 30 + ["large"]:
                    running.submit(FetchRequest(path, base))
                found = []
                while running.pending:
                    found += [content(done) for done in running.poll(10)]
            assert sorted(map(len, found)) == [len(CONTENT)] * 30 + [256 * 8_000]
            assert len(server.paths) == 31

    def test_http3_is_not_tried_unasked(self, lab: Nginx) -> None:
        with http3(lab.root, lab.authority.issue("quic")) as server:
            assert "[7] " in str(get(server.url, trusting(lab)).error)
            assert server.paths == []

    @pytest.mark.parametrize("is_silent", [False, True], ids=["closed", "silent"])
    def test_http3_falls_back(self, lab: Nginx, is_silent: bool) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            if is_silent:  # a firewall swallows what is sent there
                silent.bind(("127.0.0.1", lab.ports.good))
            notes = get_many(lab, lab.ports.good, 20, trusting(lab)._replace(http3=True))
        assert {note.protocol for note in notes} == {"HTTP/2.0"}


class TestTls:
    def test_known_authority(self, lab: Nginx) -> None:
        assert content(get(lab.url(lab.ports.good), trusting(lab))) == CONTENT

    @pytest.mark.parametrize("port", ["good", "other_host", "expired"])
    def test_bad_certificate_is_refused_once(self, lab: Nginx, port: str) -> None:
        url = lab.url(getattr(lab.ports, port))
        settings = FetchSettings(retries=5)
        done = get(url, settings if port == "good" else trusting(lab, settings))
        assert str(done.error).startswith(f"While fetching {url}file: [60] ")

    def test_other_authority_is_refused(self, lab: Nginx, tmp_path: Path) -> None:
        other = Authority(tmp_path)
        done = get(lab.url(lab.ports.good), NO_RETRY._replace(tls_ca_path=str(other.path)))
        assert "[60] " in str(done.error)

    @pytest.mark.parametrize("port", ["good", "other_host", "expired"])
    def test_permissive_takes_any(self, lab: Nginx, port: str) -> None:
        url = lab.url(getattr(lab.ports, port))
        assert content(get(url, NO_RETRY._replace(tls_permissive=True))) == CONTENT

    def test_authority_file_that_is_missing(self, lab: Nginx) -> None:
        done = get(lab.url(lab.ports.good), NO_RETRY._replace(tls_ca_path="/nonexistent.pem"))
        assert "[77] " in str(done.error)

    def test_client_certificate(self, lab: Nginx) -> None:
        url, pair = lab.url(lab.ports.client), lab.client_pair
        known = trusting(lab)._replace(
            tls_client_cert_path=str(pair.cert), tls_client_key_path=str(pair.key)
        )
        assert content(get(url, known)) == CONTENT
        assert "Server returned HTTP 400" in str(get(url, trusting(lab)).error)

    def test_client_key_of_another(self, lab: Nginx) -> None:
        other = lab.authority.issue("another")
        mixed = trusting(lab)._replace(
            tls_client_cert_path=str(lab.client_pair.cert), tls_client_key_path=str(other.key)
        )
        err = get(lab.url(lab.ports.client), mixed).error
        assert err is not None
        assert "tls-client-key-path" in str(err.hint)

    def test_no_redirect_to_what_is_not_safe(self, lab: Nginx, tmp_path: Path) -> None:
        pair = lab.authority.issue("redirects")
        with scripted_server(lab.root, server_context(pair)) as server:
            target = lab.url(lab.ports.http, "file")
            server.faults["file"] = lambda _: Reply(b"", 302, location=target)
            done = get(server.url, trusting(lab, FetchSettings(retries=5)))
            assert str(done.error) == (
                f"While fetching {server.url}/file: [1] Unsupported protocol"
            )
            assert len(server.requests) == 1
            assert content(get(server.url, NO_RETRY._replace(tls_permissive=True))) == CONTENT
            server.faults["file"] = lambda _: Reply(
                b"", 302, location=lab.url(lab.ports.good, "file")
            )
            assert content(get(server.url, trusting(lab))) == CONTENT

    def test_redirect_from_unsafe_to_safe(self, lab: Nginx, tmp_path: Path) -> None:
        with scripted_server(lab.root) as server, fetcher(trusting(lab)) as running:
            target = lab.url(lab.ports.good, "file")
            server.faults["file"] = lambda _: Reply(b"", 302, location=target)
            safe, unsafe = ((parse_base_url(url),) for url in (lab.url(lab.ports.good), server.url))
            for base in (safe, unsafe, safe):  # on one handle
                assert fetch_bytes(running, FetchRequest("file", base)) == CONTENT


class TestProxies:
    def test_key(self, lab: Nginx) -> None:
        proxy = lab.url(lab.ports.proxy).rstrip("/")
        assert content(get(lab.url(lab.ports.http), NO_RETRY._replace(proxy=proxy))) == CONTENT
        assert lab.notes(lab.ports.proxy, 1)[0].path == "/file"

    def test_environment(self, lab: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", lab.url(lab.ports.proxy))
        assert content(get(lab.url(lab.ports.http))) == CONTENT
        lab.notes(lab.ports.proxy, 1)

    @pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
    def test_exceptions(self, lab: Nginx, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        assert "[7] " in str(get(lab.url(lab.ports.http)).error)
        monkeypatch.setenv(name, "127.0.0.1")
        assert content(get(lab.url(lab.ports.http))) == CONTENT

    def test_tunnel_for_tls(self, lab: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
        with tunnels() as proxy:
            by_key = trusting(lab)._replace(proxy=proxy.url)
            assert content(get(lab.url(lab.ports.good), by_key)) == CONTENT
            monkeypatch.setenv("https_proxy", proxy.url)
            assert content(get(lab.url(lab.ports.good), trusting(lab))) == CONTENT
            assert proxy.targets == [f"127.0.0.1:{lab.ports.good}"] * 2

    def test_name_that_does_not_exist(self, lab: Nginx) -> None:
        done = get(lab.url(lab.ports.http), NO_RETRY._replace(proxy="http://proxy.invalid:1"))
        assert "[5] Couldn't resolve proxy name" in str(done.error)
        done = get("http://host.invalid/")
        assert "[6] Couldn't resolve host name" in str(done.error)


class TestRequests:
    def test_agent_headers_and_encoding(self, lab: Nginx) -> None:
        settings = NO_RETRY._replace(user_agent="lab/1", headers=(("X-Token", "one two"),))
        assert content(get(lab.url(lab.ports.http), settings)) == CONTENT
        (note,) = lab.notes(lab.ports.http, 1)
        assert (note.agent, note.token, note.encoding) == ("lab/1", "one two", "-")

    def test_compressed_on_the_way(self, lab: Nginx) -> None:
        settings = NO_RETRY._replace(compressed=True)
        assert content(get(lab.url(lab.ports.http, "gzip"), settings)) == CONTENT
        assert "gzip" in lab.notes(lab.ports.http, 1)[0].encoding

    def test_password_in_the_url(self, lab: Nginx) -> None:
        port = lab.ports.http
        assert content(get(f"http://foo:bar@127.0.0.1:{port}/private")) == CONTENT
        (note,) = lab.notes(port, 1)  # sent without being asked
        assert note.authorization == "Basic Zm9vOmJhcg=="
        done = get(f"http://foo:wrong@127.0.0.1:{port}/private")
        assert str(done.error) == (
            f"While fetching http://foo@127.0.0.1:{port}/private/file: Server returned HTTP 401"
        )

    def test_password_goes_to_no_other_host(self, lab: Nginx, tmp_path: Path) -> None:
        with scripted_server(lab.root) as server:
            target = lab.url(lab.ports.http, "file").replace("127.0.0.1", "localhost")
            server.faults["file"] = lambda _: Reply(b"", 302, location=target)
            url = server.url.replace("//", "//foo:bar@")
            assert content(get(url)) == CONTENT
            assert server.seen[0]["authorization"] == "Basic Zm9vOmJhcg=="
        (note,) = lab.notes(lab.ports.http, 1)
        assert note.authorization == "-"

    def test_cookies_that_fit(self, lab: Nginx, tmp_path: Path) -> None:
        jar = tmp_path / "cookies.txt"
        jar.write_text(
            "127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tfoo\tbar\n"
            "127.0.0.1\tFALSE\t/elsewhere\tFALSE\t4102444800\tpath\tno\n"
            "other.example\tFALSE\t/\tFALSE\t4102444800\thost\tno\n"
            "127.0.0.1\tFALSE\t/\tFALSE\t1\told\tno\n"
            "rubbish\n\t\t\t\n"
        )
        before = jar.read_bytes()
        settings = NO_RETRY._replace(cookies_path=str(jar))
        assert content(get(lab.url(lab.ports.http), settings)) == CONTENT
        assert lab.notes(lab.ports.http, 1)[0].cookie == "foo=bar"
        assert jar.read_bytes() == before

    def test_path_is_sent_as_it_is(self, lab: Nginx) -> None:
        assert content(get(lab.url(lab.ports.http), path="a+b=c_d")) == CONTENT
        get(lab.url(lab.ports.http, "?query=x"))
        assert lab.notes(lab.ports.http, 2)[1].path == "/?query=x/file"

    def test_conditional(self, lab: Nginx) -> None:
        base = (parse_base_url(lab.url(lab.ports.http)),)
        with fetcher() as running:
            first = fetch_one(running, FetchRequest("file", base, keep_validators=True))
            seen = first.validators
            assert seen.etag is not None
            assert seen.last_modified == int((lab.root / "file").stat().st_mtime)
            again = fetch_one(running, FetchRequest("file", base, validators=seen))
            assert again.not_modified
            assert again.body is None
            by_date = FetchRequest("file", base, validators=Validators(None, seen.last_modified))
            assert fetch_one(running, by_date).not_modified
            other = FetchRequest("file", base, validators=Validators('"other"', 1))
            assert content(fetch_one(running, other)) == CONTENT
            assert content(fetch_one(running, FetchRequest("file", base))) == CONTENT
        assert [note.status for note in lab.notes(lab.ports.http, 5)] == [
            "200", "304", "304", "200", "200",
        ]  # fmt: skip

    def test_continues_after_a_cut(self, lab: Nginx, tmp_path: Path) -> None:
        (tmp_path / "part").write_bytes((lab.root / "large").read_bytes()[:1_500_000])
        base = (parse_base_url(lab.url(lab.ports.http)),)
        wanted = FetchRequest("large", base, immutable=True, keep_as="part")
        with open_fetcher(NO_RETRY, Dir.at(tmp_path)) as running:
            done = fetch_one(running, wanted)
            assert content(done) == (lab.root / "large").read_bytes()
            assert running.bytes_transferred == 256 * 8_000 - 1_500_000
        assert lab.notes(lab.ports.http, 1)[0].status == "206"


def test_debug_output_is_on_stderr(lab: Nginx, capfd: pytest.CaptureFixture[str]) -> None:
    assert content(get(lab.url(lab.ports.http), NO_RETRY._replace(verbose=True))) == CONTENT
    out, err = capfd.readouterr()
    assert out == ""
    assert "> GET /file HTTP/1.1" in err


def test_unreachable_server_is_an_error_value() -> None:
    done = get("http://127.0.0.1:1/", FetchSettings(retries=1))
    assert isinstance(done.error, FetchError)


def test_names_beyond_ascii_are_sent(lab: Nginx, tmp_path: Path) -> None:
    (lab.root / "größe").write_bytes(CONTENT)
    jar = tmp_path / "kekse-größe.txt"
    jar.write_text("127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tfoo\tbar\n")
    settings = NO_RETRY._replace(
        user_agent="größe", headers=(("X-Token", "größe"),), cookies_path=str(jar)
    )
    assert content(get(lab.url(lab.ports.http), settings, path="größe")) == CONTENT
    assert lab.notes(lab.ports.http, 1)[0].cookie == "foo=bar"


def test_many_open_descriptors_do_not_stop_it(lab: Nginx) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        for _ in range(1100):  # select() can wait for numbers below 1024 only
            stack.enter_context(open("/dev/null"))
        assert content(get(lab.url(lab.ports.good), trusting(lab))) == CONTENT


def test_failures_are_told_to_the_journal(lab: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    entries: list[JournalEntry] = []
    monkeypatch.setattr("pyostree.remote.journal.write_journal", entries.append)
    base = (parse_base_url(lab.url(lab.ports.http)),)
    with fetcher(NO_RETRY._replace(remote="origin")) as running:
        for path, optional in (("file", False), ("none", True), ("none", False)):
            fetch_one(running, FetchRequest(path, base, optional=optional))
    get(lab.url(lab.ports.http), path="none")  # of no remote
    url = lab.url(lab.ports.http, "none")
    (entry,) = entries
    assert entry.message == (
        f"libostree HTTP error from remote origin for <{url}>: Server returned HTTP 404"
    )
    assert entry.message_id == "f02bce89a54e4efab3a94a797d26204a"
    assert entry.fields == {"OSTREE_REMOTE": "origin", "OSTREE_URL": url}
