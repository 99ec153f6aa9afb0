"""The small web server: answers, faults on request, life cycle."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from pyostree.errors import FormatError
from pyostree.fs.dir import Dir
from pyostree.remote.httpd.faults import FaultSettings
from pyostree.remote.httpd.message import parse_range, parse_request
from pyostree.remote.httpd.server import HttpServer

BIG = bytes(range(256)) * 4096


class Served(HttpServer):
    """A server that notes its log."""

    def __init__(self, root: Path, faults: FaultSettings) -> None:
        self.lines: list[str] = []
        super().__init__(Dir.at(root), self.lines.append, faults=faults)

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        response = connection.getresponse()
        try:
            return response, response.read()
        finally:
            connection.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "www"
    (root / "repo/objects").mkdir(parents=True)
    (root / "repo/objects/o").write_bytes(b"0123456789")
    (root / "file").write_bytes(b"hello\n")
    (root / "big").write_bytes(BIG)
    (root / "a b+c").write_bytes(b"odd")
    (root / "link").symlink_to("file")
    (root / "secret").write_bytes(b"no")
    (root / "secret").chmod(0o600)
    return root


@pytest.fixture
def faults() -> FaultSettings:
    return FaultSettings()


@pytest.fixture
def server(root: Path, faults: FaultSettings) -> Iterator[Served]:
    made, ended = Served(root, faults), threading.Event()
    thread = threading.Thread(target=made.serve, args=(lambda: not ended.is_set(),))
    thread.start()
    yield made
    ended.set()
    thread.join()


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/file", 200, b"hello\n"),
        ("//file", 200, b"hello\n"),
        ("/file?query", 200, b"hello\n"),
        ("/link", 200, b"hello\n"),
        ("/a%20b+c", 200, b"odd"),
        ("/big", 200, BIG),
        ("/", 404, b""),
        ("/none", 404, b""),
        ("/file/x", 500, b""),
        ("/secret", 403, b""),
        ("/repo/../file", 403, b""),
        ("/%2e%2e/etc/passwd", 403, b""),
        ("/..", 403, b""),
        ("/a%00b", 404, b""),
        ("/repo", 301, b""),
    ],
)
def test_get(server: Served, path: str, status: int, body: bytes) -> None:
    response, found = server.get(path)
    assert (response.status, found) == (status, body)


def test_listing_names_the_files(server: Served) -> None:
    response, body = server.get("/repo/objects/")
    assert response.status == 200
    assert b'<a href="o">o</a>' in body


def test_head_and_other_methods(server: Served) -> None:
    response, body = server.get("/big", "HEAD")
    assert (response.headers["Content-Length"], body) == (str(len(BIG)), b"")
    assert server.get("/file", "POST")[0].status == 501


def test_validators(server: Served) -> None:
    first, _ = server.get("/file")
    etag, date = first.headers["ETag"], first.headers["Last-Modified"]
    assert server.get("/file", If_None_Match=etag)[0].status == 304
    assert server.get("/file", If_Modified_Since=date)[0].status == 304
    assert server.get("/file", If_Modified_Since=date.replace("GMT", "UTC"))[0].status == 304
    other = {"If_None_Match": '"other"', "If_Modified_Since": date}
    assert server.get("/file", **other)[0].status == 200


@pytest.mark.parametrize(
    ("wanted", "status", "body"),
    [
        ("bytes=1-3", 206, b"ell"),
        ("bytes=3-", 206, b"lo\n"),
        ("bytes=-2", 206, b"o\n"),
        ("bytes=100-", 416, b""),
        ("bytes=0-0,2-3", 200, b"hello\n"),
        ("nonsense", 200, b"hello\n"),
    ],
)
def test_range(server: Served, wanted: str, status: int, body: bytes) -> None:
    response, found = server.get("/file", Range=wanted)
    assert (response.status, found) == (status, body)


def test_many_requests_on_one_connection(server: Served) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    for path, size in [("/file", 6), ("/big", len(BIG)), ("/none", 0), ("/file", 6)] * 5:
        connection.request("GET", path)
        assert len(connection.getresponse().read()) == size
    connection.close()


def test_pipelined_requests_are_answered_in_order(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(
            b"GET /big HTTP/1.1\r\n\r\nGET /file HTTP/1.1\r\n\r\n"
            b"GET /none HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        received = b""
        while chunk := client.recv(1 << 16):
            received += chunk
    assert received.count(b"HTTP/1.1 ") == 3
    assert received.index(BIG) < received.index(b"hello\n") < received.index(b"404 Not Found")


@pytest.mark.parametrize("garbage", [b"junk\r\n\r\n", b"GET / HTTP/1.1\r\nx\r\n\r\n", b"x" * 70000])
def test_garbage_is_refused(server: Served, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(garbage)
        assert client.recv(100).startswith(b"HTTP/1.1 4")
    assert server.get("/file")[0].status == 200


class TestHalfFiles:
    @pytest.fixture
    def faults(self) -> FaultSettings:
        return FaultSettings(half_files=True)

    def test_objects_are_cut_unless_a_range_is_asked_for(self, server: Served) -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(b"GET /repo/objects/o HTTP/1.1\r\n\r\n")
            received = b""
            while chunk := client.recv(1000):
                received += chunk
        assert b"Content-Length: 10\r\n" in received
        assert received.endswith(b"\r\n\r\n01234")
        assert server.get("/repo/objects/o", Range="bytes=0-")[1] == b"0123456789"
        assert server.get("/file")[1] == b"hello\n"


class TestDemands:
    @pytest.fixture
    def faults(self) -> FaultSettings:
        return FaultSettings(
            basic_auth=True, expected_cookies=("a=b",), expected_headers=("X-Y=z",)
        )

    def test_each_is_checked(self, server: Served) -> None:
        auth = "Basic Zm9vdXNlcjpiYXJwdw=="
        assert server.get("/file")[0].headers["WWW-Authenticate"] == "Basic realm=auth-test"
        assert server.get("/file", Authorization=auth)[0].status == 403
        both = {"Authorization": auth, "Cookie": "c=d; a=b"}
        assert server.get("/file", **both)[0].status == 403
        assert server.get("/file", **both, X_Y="q")[0].status == 403
        assert server.get("/file", **both, X_Y="z")[0].status == 200
        assert "Expected cookie not found a=b" in server.lines
        assert "Expected header not found X-Y" in server.lines
        assert "Expected header X-Y: z but found q" in server.lines
        assert server.lines[-2:] == ["serving /file", "  status: OK (200)"]


class TestRandomErrors:
    @pytest.fixture
    def faults(self) -> FaultSettings:
        return FaultSettings(random_500s=99, random_500s_max=3, random_408s=50, random_408s_max=2)

    def test_they_are_limited(self, server: Served) -> None:
        found = [server.get("/file")[0].status for _ in range(60)]
        assert found.count(500) == 3
        assert found.count(408) <= 2
        assert found[-1] == 200


def test_absurd_percentage_is_refused(root: Path) -> None:
    with pytest.raises(FormatError, match=r"^Invalid --random-500s=100$"):
        Served(root, FaultSettings(random_500s=100))


def test_parse_request_joins_repeated_headers() -> None:
    request = parse_request(b"GET http://h/a%2fb?c HTTP/1.0\r\nX: 1\r\nx:2")
    assert (request.path, request.headers, request.keeps_alive) == ("/a/b", {"x": "1, 2"}, False)


def test_parse_range_end_is_clipped() -> None:
    assert parse_range("bytes=0-99", 5) == (0, 5)


def test_daemon_ends_with_its_directory(ostree: Path, tmp_path: Path, root: Path) -> None:
    port_file, log = tmp_path / "port", tmp_path / "log"
    command = [ostree, "trivial-httpd", "--daemonize", "--autoexit", "-p", port_file]
    subprocess.run([*command, f"--log-file={log}", root], check=True, timeout=30)
    port = int(port_file.read_text())
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/file")
    assert connection.getresponse().read() == b"hello\n"
    connection.close()
    root.rename(tmp_path / "moved")
    deadline = time.monotonic() + 20
    while "root directory removed, exiting" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (log.stat().st_mode & 0o777) == 0o600
    again = subprocess.run(
        [*command, f"--log-file={log}", tmp_path / "moved"], capture_output=True, text=True,
        check=False, timeout=30,
    )  # fmt: skip
    assert again.returncode == 1
    assert "File exists" in again.stderr
