"""Whole pulls by the command from servers that lie, stall, break off or attack.

Each ends with the right content or a clear error and status 1: never a traceback, never a ref that
moved, never something reachable that was not verified.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import REFERENCE_HTTPD
from fault.certificates import Authority, server_context
from fault.scripted_server import Fault, Reply, ScriptedServer, scripted_server
from pyostree.formats.gvariant import encode
from repo_lab import (
    OURS,
    Result,
    check_both,
    commit,
    make_repo,
    must,
    ours,
    reference,
    refs_of,
    run_process,
    write_files,
)

MODES = pytest.mark.parametrize("mode", ["bare-user", "archive"])
QUICK = ("--network-retries=0",)
IMPATIENT = "--low-speed-time-seconds=1"
FILES = 60


class Published:
    """A repository with two commits of ``main``; `old` is the first of them."""

    def __init__(self, base: Path) -> None:
        noise = b"".join(hashlib.sha512(struct.pack("<I", n)).digest() for n in range(40_000))
        files: dict[str, bytes | str] = {f"d{n % 7}/file{n}": f"{n}\n" * n for n in range(FILES)}
        tree = write_files(base / "tree", {**files, "large": noise, "plain": b"plain text\n" * 99})
        self.repo = make_repo(base / "repo", "archive")
        words = ["-b", "main", f"--tree=dir={tree}", "--owner-uid=0", "--owner-gid=0"]
        self.old = commit(self.repo, *words, "--timestamp=@1700000000")
        write_files(tree, {"new": "new\n"})
        self.new = commit(self.repo, *words, "--timestamp=@1700000009", f"--parent={self.old}")
        must(reference("summary", f"--repo={self.repo}", "-u"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return Published(tmp_path_factory.mktemp("published"))


@pytest.fixture
def server(published: Published) -> Iterator[ScriptedServer]:
    with scripted_server(published.repo) as running:
        yield running


class Client:
    """A repository with the remote ``origin`` at `url`."""

    def __init__(self, path: Path, url: str, mode: str, *words: str) -> None:
        self.repo = make_repo(path, mode)
        must(ours("remote", "add", f"--repo={self.repo}", "--no-gpg-verify", *words, "origin", url))

    def pull(self, *words: str) -> Result:
        return ours("pull", f"--repo={self.repo}", *words, "origin", "main")

    def fails(self, *words: str) -> str:
        """Return the error of a pull that must fail, and check that it did no harm."""
        before = refs_of(self.repo)
        result = self.pull(*QUICK, *words)
        assert result.status == 1
        lines = result.err.splitlines()
        assert [line for line in lines if line.startswith("error: ")] == lines[:1]
        assert "Traceback" not in result.err
        assert refs_of(self.repo) == before
        assert not (self.repo / "summary").exists()
        must(reference("fsck", f"--repo={self.repo}", "-q"))
        return lines[0].removeprefix("error: ")

    def works(self, *words: str) -> None:
        """Check that a pull ends well."""
        must(self.pull(*words))
        check_both(self.repo)
        assert "remotes/origin/main" in refs_of(self.repo)
        left = [path.name for path in (self.repo / "tmp").iterdir()]
        assert not [name for name in left if not name.startswith(("cache", "staging-"))]


@pytest.fixture
def client(request: pytest.FixtureRequest, tmp_path: Path, server: ScriptedServer) -> Client:
    return Client(tmp_path / "client", server.url, "bare-user")


def endless(_: Reply) -> Reply:
    return Reply(bytes(65536), is_endless=True)


def large_path(published: Published) -> str:
    found = max((published.repo / "objects").rglob("*.filez"), key=lambda path: path.stat().st_size)
    return f"/objects/{found.parent.name}/{found.name}"


# -- what never ends ---------------------------------------------------------------------


@MODES
def test_endless_content_ends_where_its_header_says(
    tmp_path: Path, server: ScriptedServer, published: Published, mode: str
) -> None:
    client = Client(tmp_path / "client", server.url, mode)
    path = large_path(published)
    server.faults[path] = lambda reply: reply._replace(is_endless=True)
    message = client.fails()
    assert message.startswith(f"URI {server.url}{path} exceeded maximum size of ")
    assert int(message.split()[-2]) < 4 << 20
    server.faults.clear()
    client.works()


@MODES
def test_endless_zeros_as_content_refused(
    tmp_path: Path, server: ScriptedServer, published: Published, mode: str
) -> None:
    client = Client(tmp_path / "client", server.url, mode)
    path = large_path(published)
    server.faults[path] = endless
    assert client.fails() == f"While fetching {server.url}{path}: File header size is zero"


@pytest.mark.parametrize(
    ("end", "limit"),
    [("/summary.sig", 128 << 20), ("/refs/heads/main", 4096), ("/config", 1 << 20)],
)
def test_endless_control_files_stop_at_the_limit(
    client: Client, server: ScriptedServer, published: Published, end: str, limit: int
) -> None:
    if end == "/refs/heads/main":
        server.faults["/summary"] = lambda _: Reply(b"", 404)
    words = []
    if end == "/config":
        server.faults["/summary"] = lambda _: Reply(b"", 404)
        words = [f"main@{published.new}"]
    server.faults[end] = endless
    before = refs_of(client.repo)
    result = ours("pull", f"--repo={client.repo}", *QUICK, "origin", *(words or ["main"]))
    assert result.status == 1
    assert f"{end} exceeded maximum size of {limit} bytes" in result.err
    assert refs_of(client.repo) == before


@MODES
@pytest.mark.parametrize("end", ["/summary", ".commit", ".filez"])
def test_slow_drip_ends(tmp_path: Path, server: ScriptedServer, mode: str, end: str) -> None:
    client = Client(tmp_path / "client", server.url, mode)
    server.faults[end] = lambda reply: reply._replace(trickle_s=0.3)
    message = client.fails(IMPATIENT)
    assert message.startswith(f"While fetching {server.url}/")
    assert "[28] Timeout was reached" in message


# -- wrong lengths -----------------------------------------------------------------------


def promises_less(reply: Reply) -> Reply:
    return reply._replace(promised=max(len(reply.body) - 5, 0))


def promises_more(reply: Reply) -> Reply:
    return reply._replace(promised=len(reply.body) + 5)


@MODES
@pytest.mark.parametrize("end", ["/summary", ".commit", ".dirtree", ".filez"])
@pytest.mark.parametrize("fault", [promises_less, promises_more], ids=["short", "long"])
def test_wrong_content_length_refused(
    tmp_path: Path, server: ScriptedServer, mode: str, end: str, fault: Fault
) -> None:
    client = Client(tmp_path / "client", server.url, mode)
    server.faults[end] = fault
    message = client.fails()
    if fault is promises_more:  # of a commit, the summary has told the size
        assert "[18] Transferred a partial file" in message or end == ".commit"
    server.faults.clear()
    client.works()


@pytest.mark.parametrize("promised", ["-1", "99999999999999999999999", "1e3", "5, 6", ""])
def test_absurd_content_length(client: Client, server: ScriptedServer, promised: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {promised}\r\n\r\n".encode()
    server.faults[".commit"] = lambda reply: reply._replace(raw=head + reply.body, body=b"")
    result = client.pull(*QUICK)  # some of these are taken for "until the end": then it is whole
    assert result.status == 0 or f"{server.url}/objects/" in result.err or "Corrupted" in result.err
    must(reference("fsck", f"--repo={client.repo}", "-q"))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 100,
        b"HTTP/1.1 ",
        b"HTTP/1.1 999999 What\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: gzip\r\n\r\nrubbish",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    ],
    ids=["nothing", "zeros", "cut", "status", "version", "ssh", "chunk", "encoding", "upgrade"],
)
def test_what_is_no_http_refused(client: Client, server: ScriptedServer, raw: bytes) -> None:
    server.faults["/summary"] = lambda reply: reply._replace(raw=raw, body=b"")
    assert client.fails().startswith((f"While fetching {server.url}/summary: ", "Invalid", "Not"))


# -- headers -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["long", "many", "informational"])
def test_header_bombs_refused(client: Client, server: ScriptedServer, kind: str) -> None:
    raw = {
        "long": b"HTTP/1.1 200 OK\r\nX-Bomb: " + b"x" * (2 << 20) + b"\r\n\r\n",
        "many": b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100_000)),
        "informational": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 100_000,
    }[kind]
    server.faults[".commit"] = lambda _: Reply(b"", raw=raw)
    assert client.fails().startswith(f"While fetching {server.url}/objects/")


@pytest.mark.parametrize(
    "value",
    ['"a\tb\x01\x7f"', '"\xff\xfe"', '"' + "e" * 60_000 + '"', "", '"'],
    ids=["control", "latin", "long", "empty", "quote"],
)
def test_strange_etags_do_no_harm(client: Client, server: ScriptedServer, value: str) -> None:
    strange = (("ETag", value), ("Set-Cookie", value), ("Last-Modified", value))
    server.faults[""] = lambda reply: reply._replace(headers=strange)
    server.faults["/summary.sig"] = lambda _: Reply(b"\0" * 16, headers=strange)
    client.pull(*QUICK)
    again = client.pull(*QUICK)
    assert "Traceback" not in again.err
    for headers in server.seen:
        assert all(line.isprintable() for line in headers.values())


@pytest.mark.parametrize("value", ["\x01evil", "a=b\xff", "a=" + "v" * 50_000])
def test_strange_cookies_do_no_harm(client: Client, server: ScriptedServer, value: str) -> None:
    server.faults[""] = lambda reply: reply._replace(headers=(("Set-Cookie", value),))
    client.works()
    assert all(headers.get("cookie", "").isprintable() for headers in server.seen)
    assert not list(client.repo.glob("*.cookies.txt"))


# -- redirects ---------------------------------------------------------------------------


def redirect(location: str) -> Fault:
    return lambda _: Reply(b"", 302, location=location)


@MODES
@pytest.mark.parametrize(
    ("scheme", "end"),
    [("file", "/summary"), ("file", ".commit"), ("file", ".filez"), ("ftp", ".commit"),
     ("gopher", ".commit"), ("dict", ".commit"), ("imap", ".commit")],
)  # fmt: skip
def test_redirect_elsewhere_refused(
    tmp_path: Path, server: ScriptedServer, published: Published, mode: str, scheme: str, end: str
) -> None:
    client = Client(tmp_path / "client", server.url, mode)
    target = "/etc/passwd" if scheme == "file" else f"127.0.0.1:1{published.repo}"
    server.faults[end] = redirect(f"{scheme}://{target}")
    message = client.fails()
    assert message.startswith(f"While fetching {server.url}/")
    assert message.endswith(f"{end}: [1] Unsupported protocol")


@MODES
@pytest.mark.parametrize("end", ["/summary", ".filez"])
def test_redirect_loop_refused(tmp_path: Path, server: ScriptedServer, mode: str, end: str) -> None:
    client = Client(tmp_path / "client", server.url, mode)
    server.faults[end] = redirect(f"{server.url}/loop{end}")
    assert "[47] " in client.fails()
    assert sum("/loop" in path for path in server.requests) <= 30 * FILES


@MODES
def test_redirect_to_plain_http_refused(
    tmp_path: Path, server: ScriptedServer, published: Published, mode: str
) -> None:
    authority = Authority(tmp_path)
    with scripted_server(published.repo, server_context(authority.issue("server"))) as safe:
        key = f"--set=tls-ca-path={authority.path}"
        client = Client(tmp_path / "client", safe.url, mode, key)
        safe.faults["/summary"] = redirect(f"{server.url}/summary")
        assert "[1] Unsupported protocol" in client.fails()
        assert server.requests == []
        safe.faults.clear()
        client.works()


@MODES
def test_wrong_certificate_refused(tmp_path: Path, published: Published, mode: str) -> None:
    authority = Authority(tmp_path)
    key = f"--set=tls-ca-path={authority.path}"
    pairs = [
        Authority(tmp_path, "stranger").issue("a"),
        authority.issue("b", host="elsewhere.example"),
        authority.issue("c", is_expired=True),
    ]
    for number, pair in enumerate(pairs):
        with scripted_server(published.repo, server_context(pair)) as server:
            client = Client(tmp_path / f"client{number}", server.url, mode, key)
            assert client.fails().startswith(f"While fetching {server.url}/summary.sig: [60] ")
            assert server.requests == []


# -- wrong content -----------------------------------------------------------------------


@MODES
@pytest.mark.parametrize("kind", [".commit", ".dirtree", ".dirmeta", ".filez"])
def test_one_object_in_place_of_another_refused(
    tmp_path: Path, server: ScriptedServer, published: Published, mode: str, kind: str
) -> None:
    other = sorted((published.repo / "objects").rglob(f"*{kind}"))[0].read_bytes()
    if kind == ".dirmeta":
        other = encode("(uuua(ayay))", (1, 1, 0o755 | 0o40000, ()))
    client = Client(tmp_path / "client", server.url, mode)
    server.faults[kind] = lambda _: Reply(other)
    message = client.fails()
    assert "Corrupted " in message
    assert "; checksum expected='" in message
    server.faults.clear()
    client.works()


def test_compressed_bomb_stops(client: Client, server: ScriptedServer) -> None:
    bomb = gzip.compress(bytes(130 << 20), 9)
    packed = Reply(bomb, headers=(("Content-Encoding", "gzip"),))
    server.faults["/summary"] = lambda _: packed  # nobody asked for that encoding
    client.fails()
    result = ours("remote", f"--repo={client.repo}", "refs", "origin")
    assert result.status == 1
    assert result.err == (
        f"error: URI {server.url}/summary exceeded maximum size of 134217728 bytes\n"
    )


@MODES
def test_summary_of_another_repository_refused(
    tmp_path: Path, server: ScriptedServer, mode: str
) -> None:
    tree = write_files(tmp_path / "tree", {"other": "x"})
    other = make_repo(tmp_path / "other", "archive")
    commit(other, "-b", "main", f"--tree=dir={tree}")
    must(reference("summary", f"--repo={other}", "-u"))
    summary = (other / "summary").read_bytes()
    client = Client(tmp_path / "client", server.url, mode)
    server.faults["/summary"] = lambda _: Reply(summary)
    message = client.fails()
    assert message.startswith(f"While fetching {server.url}/objects/")
    assert message.endswith(".commit: Server returned HTTP 404")


@MODES
def test_rollback_refused_when_timestamps_are_checked(
    tmp_path: Path, server: ScriptedServer, published: Published, mode: str
) -> None:
    client = Client(tmp_path / "client", server.url, mode)
    client.works()
    server.faults["/summary"] = server.faults["/summary.sig"] = lambda _: Reply(b"", 404)
    server.faults["/refs/heads/main"] = lambda _: Reply(f"{published.old}\n".encode())
    before = refs_of(client.repo)
    # The check of a named commit: `-T` compares with a local ref of the same name.
    result = client.pull(*QUICK, f"--timestamp-check-from-rev={published.new}")
    assert result.status == 1
    assert "is chronologically older than current revision" in result.err
    assert refs_of(client.repo) == before


BAD_NAMES = ["../../config", "/etc/passwd", "a/../../b", ".", "..", "a//b", "a\nb", ""]


@MODES
@pytest.mark.parametrize("name", BAD_NAMES)
def test_mirrored_ref_that_is_a_path_refused(
    tmp_path: Path, server: ScriptedServer, published: Published, mode: str, name: str
) -> None:
    client = Client(tmp_path / "client", server.url, mode)
    checksum = bytes.fromhex(published.new)
    body = encode("(a(s(taya{sv}))a{sv})", (((name, (0, checksum, ())),), ()))
    server.faults["/summary"] = lambda _: Reply(body)
    result = ours("pull", f"--repo={client.repo}", *QUICK, "--mirror", "origin")
    assert result.status == 1
    assert result.err.startswith(f"error: Invalid ref name {name}".split("\n")[0])
    assert refs_of(client.repo) == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["client"]


@MODES
@pytest.mark.parametrize("collection", ["../../..", "org/evil", "..", "org.evil..Name", ""])
def test_collection_id_that_is_a_path_refused(
    tmp_path: Path, server: ScriptedServer, published: Published, mode: str, collection: str
) -> None:
    from pyostree.formats.gvariant import Variant

    client = Client(tmp_path / "client", server.url, mode)
    entry = (("main", (0, bytes.fromhex(published.new), ())),)
    key = "ostree.summary.collection-id"
    body = encode("(a(s(taya{sv}))a{sv})", (entry, ((key, Variant("s", collection)),)))
    server.faults["/summary"] = lambda _: Reply(body)
    result = ours("pull", f"--repo={client.repo}", *QUICK, "--mirror", "origin")
    assert result.status == 1
    assert result.err == f"error: Invalid collection ID {collection}\n"
    assert refs_of(client.repo) == {}


# -- metalinks and mirrors ---------------------------------------------------------------


def metalink(urls: list[str], data: bytes, *, size: int | None = None, sha256: str = "") -> bytes:
    digest = sha256 or hashlib.sha256(data).hexdigest()
    resources = "".join(
        f'<url protocol="http" type="http" location="US" preference="1">{url}</url>' for url in urls
    )
    return (
        '<metalink version="3.0"><files><file name="summary">'
        f"<size>{len(data) if size is None else size}</size>"
        f'<verification><hash type="sha256">{digest}</hash></verification>'
        f"<resources>{resources}</resources></file></files></metalink>"
    ).encode()


class TestMetalink:
    def client(self, tmp_path: Path, server: ScriptedServer, mode: str) -> Client:
        return Client(tmp_path / "client", f"metalink={server.url}/links.xml", mode)

    @MODES
    @pytest.mark.parametrize(
        ("change", "text"),
        [
            ({"sha256": "0" * 64}, "Expected checksum is 0000"),
            ({"size": 5}, "Expected size is 5 bytes but content is "),
            ({"size": 5000}, "Expected size is 5000 bytes but content is "),
            ({"size": 1 << 63}, "Expected size is 9223372036854775808 bytes but content is "),
        ],
        ids=["hash", "too-small", "too-large", "absurd"],
    )
    def test_wrong_promises_refused(
        self,
        tmp_path: Path,
        server: ScriptedServer,
        mode: str,
        change: dict[str, object],
        text: str,
    ) -> None:
        data = (server.root / "summary").read_bytes()
        body = metalink([f"{server.url}/summary"] * 3, data, **change)  # type: ignore[arg-type]
        server.faults["/links.xml"] = lambda _: Reply(body)
        message = self.client(tmp_path, server, mode).fails()
        assert message.startswith("Exhausted 3 metalink targets, last error: ")
        assert text in message

    @MODES
    def test_first_good_mirror_serves(
        self, tmp_path: Path, server: ScriptedServer, mode: str
    ) -> None:
        data = (server.root / "summary").read_bytes()
        server.faults["/bad/summary"] = lambda _: Reply(data[:-1] + b"!")
        urls = [f"{server.url}/{place}summary" for place in ("none/", "bad/", "")]
        body = metalink(["http://127.0.0.1:1/summary", *urls], data)
        server.faults["/links.xml"] = lambda _: Reply(body)
        self.client(tmp_path, server, mode).works("--network-retries=0")

    @pytest.mark.parametrize(
        "body",
        [
            b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><metalink>&b;</metalink>',
            b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><metalink>&a;</metalink>',
            b"<metalink>" * 100_000,
            b"\xff\xfe<",
            b"",
        ],
        ids=["entities", "external", "deep", "encoding", "empty"],
    )
    def test_evil_xml_refused(self, tmp_path: Path, server: ScriptedServer, body: bytes) -> None:
        server.faults["/links.xml"] = lambda _: Reply(body)
        assert "root:" not in self.client(tmp_path, server, "bare-user").fails()


@MODES
def test_mirror_list_skips_what_is_dead_or_strange(
    tmp_path: Path, server: ScriptedServer, mode: str
) -> None:
    lines = ["# list", "http://127.0.0.1:1", "file:///etc", "nonsense", "http://[", server.url]
    server.faults["/mirrors"] = lambda _: Reply("\n".join(lines).encode())
    client = Client(tmp_path / "client", f"mirrorlist={server.url}/mirrors", mode)
    client.works("--network-retries=0")


def test_mirror_that_lies_about_one_file_is_no_way_in(
    client: Client, server: ScriptedServer, published: Published
) -> None:
    with scripted_server(published.repo) as good:
        listed = f"{server.url}\n{good.url}\n".encode()
        good.faults["/mirrors"] = lambda _: Reply(listed)
        server.faults[".filez"] = lambda _: Reply(b"lies" * 100)
        other = Client(client.repo.parent / "other", f"mirrorlist={good.url}/mirrors", "bare-user")
        other.fails()
        server.faults[".filez"] = lambda _: Reply(b"", 403)
        other.works()


# -- bad luck ----------------------------------------------------------------------------


def one_in(count: int, spoil: Fault) -> Fault:
    """Return a fault that strikes one request in `count`, without a pattern but repeatably."""
    dice = random.Random(count)
    lock = threading.Lock()

    def fault(reply: Reply) -> Reply:
        with lock:
            strikes = dice.randrange(count) == 0
        return spoil(reply) if strikes and reply.status in (200, 206) else reply

    return fault


def reset(reply: Reply) -> Reply:
    half = reply.body[: len(reply.body) // 2]
    return reply._replace(body=half, promised=len(reply.body), is_reset=True)


def reset_at_once(reply: Reply) -> Reply:
    return reply._replace(raw=b"", body=b"", is_reset=True)


def truncated(reply: Reply) -> Reply:
    half = reply.body[: len(reply.body) // 2]
    return reply._replace(body=half, promised=len(reply.body))


@MODES
@pytest.mark.parametrize("serves_ranges", [True, False], ids=["ranges", "no-ranges"])
@pytest.mark.parametrize("spoil", [reset, reset_at_once, truncated], ids=lambda f: f.__name__)
def test_one_broken_answer_in_twenty_does_not_stop_a_pull(
    tmp_path: Path,
    server: ScriptedServer,
    published: Published,
    mode: str,
    serves_ranges: bool,
    spoil: Fault,
) -> None:
    server.serves_ranges = serves_ranges
    struck = [0]

    def counted(reply: Reply) -> Reply:
        struck[0] += 1
        return spoil(reply)

    server.faults[""] = one_in(20, counted)
    client = Client(tmp_path / "client", server.url, mode)
    client.works()
    assert struck[0]
    must(ours("checkout", f"--repo={client.repo}", "-U", published.new, tmp_path / "out"))
    expected = published.repo.parent / "tree"
    subprocess.run(["diff", "-r", expected, tmp_path / "out"], check=True)


@MODES
@pytest.mark.parametrize("program", [[OURS, "trivial-httpd"], [REFERENCE_HTTPD]], ids=["o", "r"])
def test_server_that_sends_halves_is_asked_for_the_rest(
    tmp_path: Path, published: Published, mode: str, program: list[str]
) -> None:
    port_file = tmp_path / "port"
    words = ["--force-range-requests", "-p", port_file, published.repo.parent]
    with subprocess.Popen([*program, *words], stdout=subprocess.DEVNULL) as running:
        try:
            wait_for(lambda: port_file.exists() and port_file.read_text().endswith("\n"))
            url = f"http://127.0.0.1:{port_file.read_text().strip()}/{published.repo.name}"
            Client(tmp_path / "client", url, mode).works("--network-retries=1")
        finally:
            running.terminate()


def test_debug_output_of_a_pull(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run_process(OURS, "pull", f"--repo={client.repo}", "origin", "main")
    assert done.err == ""
    done = run_process(
        OURS, "pull", f"--repo={client.repo}", "origin", "main", OSTREE_DEBUG_HTTP="1"
    )
    assert "> GET /summary" in done.err


@MODES
def test_killed_process_leaves_the_start_of_a_large_object_to_the_next(
    tmp_path: Path, server: ScriptedServer, published: Published, mode: str
) -> None:
    server.serves_ranges = True
    path = large_path(published)
    running: list[subprocess.Popen[bytes]] = []
    size = (published.repo / path[1:]).stat().st_size
    client = Client(tmp_path / "client", server.url, mode)

    def stall(reply: Reply) -> Reply:
        threading.Thread(target=kill_when_stored).start()
        return reply._replace(body=reply.body[: 3 * size // 4], promised=size, trickle_s=0)

    def kill_when_stored() -> None:
        wait_for(lambda: any(part.stat().st_size for part in parts(client.repo)))
        running[0].kill()

    server.faults[path] = hold(stall)
    command = [OURS, "pull", f"--repo={client.repo}", "origin", "main"]
    running.append(subprocess.Popen(command, stderr=subprocess.PIPE))
    running[0].communicate()
    assert running[0].returncode < 0
    kept = [part.stat().st_size for part in parts(client.repo)]
    assert kept
    assert kept[0]
    server.faults.clear()
    server.seen.clear()
    server.requests.clear()
    client.works()
    asked = dict(zip(server.requests, server.seen, strict=True))[path]
    assert asked["range"] == f"bytes={kept[0]}-"


def hold(fault: Fault) -> Fault:
    """Return a fault whose answer stops before its end, and stays so."""
    return lambda reply: fault(reply)._replace(drip_s=0, trickle_s=0)


def parts(repo: Path) -> list[Path]:
    return list((repo / "tmp").glob("fetch-*"))


def wait_for(condition: Callable[[], bool]) -> None:
    import time

    end_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


@MODES
def test_spoiled_start_of_a_large_object_costs_one_request(
    tmp_path: Path, server: ScriptedServer, published: Published, mode: str
) -> None:
    server.serves_ranges = True
    path = large_path(published)
    client = Client(tmp_path / "client", server.url, mode)
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    checksum = path.removeprefix("/objects/").replace("/", "")
    part = client.repo / f"tmp/fetch-{boot_id}-{checksum}"
    good = (published.repo / path[1:]).read_bytes()
    part.write_bytes(good[: 1 << 20] + b"spoiled" * 1000)
    client.works()
    assert not part.exists()
    assert server.requests.count(path) == 2


# -- memory ------------------------------------------------------------------------------

MEMORY_LIMIT_KIB = 96 << 10
# Not ru_maxrss, which a process begins with that of its parent.
PROBE = """
import sys
from pyostree.cli.main import main
status = main()
with open("/proc/self/status") as file:
    print(*(line.split()[1] for line in file if line.startswith("VmHWM")))
sys.exit(status)
"""


def test_memory_stays_bounded(tmp_path: Path, published: Published) -> None:
    """Many large bodies at once, one of them endless, through one process that is measured."""
    root = tmp_path / "source"
    sizes = [900 << 10] * 40 + [6 << 20] * 2
    files = {f"noise{n}": os.urandom(size) for n, size in enumerate(sizes)}
    tree = write_files(tmp_path / "tree", files)
    source = make_repo(root, "archive")
    commit(source, "-b", "main", f"--tree=dir={tree}")
    with scripted_server(source) as server:
        client = Client(tmp_path / "client", server.url, "archive")
        victim = sorted((source / "objects").rglob("*.filez"))[5]
        server.faults[f"{victim.parent.name}/{victim.name}"] = endless
        words = ["pull", f"--repo={client.repo}", "origin", "main"]
        failed = run_process(sys.executable, "-c", PROBE, *words)
        assert failed.status == 1, failed.err
        server.faults.clear()
        done = run_process(sys.executable, "-c", PROBE, *words)
        assert done.status == 0, done.err
    peaks = [int(result.out.split()[-1]) for result in (failed, done)]
    assert max(peaks) < MEMORY_LIMIT_KIB, peaks
