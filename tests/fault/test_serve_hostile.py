"""What no honest client sends to ``ostree serve``: each gets one answer, or none, and no memory."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from repo_lab import ours
from serve_lab import Server, read_all, serving

LARGE_BYTES = 12 << 20
CONFIG = b"GET /config HTTP/1.1\r\nHost: x\r\n"
SMUGGLED = b"GET /summary HTTP/1.1\r\nHost: x\r\n\r\n"
IDLE_S = 1


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("hostile")
    (top / "tree").mkdir()
    (top / "tree/large").write_bytes(random.Random(1).randbytes(LARGE_BYTES))
    path = top / "repo"
    for words in (
        ["init", "--mode=archive"],
        ["commit", "-b", "main", f"--tree=dir={top / 'tree'}"],
        ["summary", "-u"],
    ):
        assert ours(f"--repo={path}", *words).status == 0
    return path


@pytest.fixture(scope="module")
def server(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    work = tmp_path_factory.mktemp("server")
    with serving(work, repo, "--workers=1", f"--idle-timeout={IDLE_S}") as server:
        yield server
        assert server.stop() == 0
        assert "Traceback" not in server.out.read_text()


def large_object(repo: Path) -> str:
    largest = max(repo.glob("objects/*/*.filez"), key=lambda path: path.stat().st_size)
    return f"/{largest.relative_to(repo)}"


def talk(server: Server, data: bytes, timeout_s: float = 0.05) -> bytes:
    """Send bytes; return what comes back until the server closes or says nothing more."""
    received = b""
    with server.connect() as connection:
        try:
            connection.sendall(data)
            received = connection.recv(1 << 16)
            connection.settimeout(timeout_s)
            while chunk := connection.recv(1 << 16):
                received += chunk
        except (TimeoutError, ConnectionError):
            pass
    return received


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /refs/heads/../../config HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /refs/%2e%2e/config HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /refs/%2E./config HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /..%2f..%2fetc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /refs/%252e%252e/config HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /con%00fig HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /con\0fig HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /config%0d%0aX:y HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /refs/heads/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET //config HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /config/ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /.lock HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET http://example.com/config HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET http://example.com/../config HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /config?a=../b HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (CONFIG + b"X: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (CONFIG + b"X: a\r\n" * 500 + b"\r\n", 431),
        (b"CONNECT example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"TRACE /config HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"DELETE /summary HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"get /config HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /config\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 99 + b"\r\n\r\n", 400),
        (b"GET /config HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (CONFIG + b"X: a\r\n b\r\n\r\n", 400),
    ],
    ids=lambda value: repr(value[:36])[2:-1] if isinstance(value, bytes) else None,
)
def test_odd_requests_get_the_right_status(
    server: Server, request_bytes: bytes, status: int
) -> None:
    answer = talk(server, request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 34\r\n\r\n",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 0\r\nContent-Length: 34\r\n\r\n",
        b"Content-Length: +0\r\n\r\n",
        b"Content-Length: 0, 34\r\n\r\n",
    ],
)
def test_requests_inside_of_bodies_are_not_answered(server: Server, headers: bytes) -> None:
    answer = talk(server, CONFIG + headers + SMUGGLED)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"ostree.summary" not in answer


def test_body_without_end_is_not_read(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(
            b"POST /config HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
        )
        sent = 0
        try:
            for _ in range(4096):
                sent += connection.send(b"a" * 65536)
        except OSError:
            pass  # it has hung up
        assert sent < 64 << 20


def test_silent_connections_end(server: Server) -> None:
    beginnings = {
        "nothing": b"",
        "one byte": b"P",
        "half a head": b"GET /config HTTP/1.1\r\nHo",
        "kept alive": CONFIG + b"\r\n",
        "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "settings": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)),
    }
    began = time.monotonic()
    connections = {name: server.connect() for name in beginnings}
    for name, connection in connections.items():
        connection.sendall(beginnings[name])
    for connection in connections.values():
        with connection:
            read_all(connection)  # returns when the server closes; else a timeout fails the test
            assert time.monotonic() - began > IDLE_S / 2


def test_heads_that_never_end_are_cut_off_although_bytes_come(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(CONFIG + b"X: ")
        with pytest.raises(ConnectionError):
            drip(connection, seconds=20)


def drip(connection: socket.socket, *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection.sendall(b"a")
        time.sleep(0.1)


def test_reader_that_stops_loses_its_place_and_slow_ones_do_not(server: Server, repo: Path) -> None:
    path = large_object(repo)
    data = (repo / path[1:]).read_bytes()
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    stopped, slow = small_window(server), small_window(server)
    with stopped, slow:
        for connection in (stopped, slow):
            connection.sendall(request)
        received = b""
        began = time.monotonic()
        while time.monotonic() - began < 1.5 * IDLE_S:
            received += slow.recv(8192)
            time.sleep(0.02)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        assert len(read_all(stopped)) < len(data)
        assert (received + read_all(slow)).endswith(data)


def small_window(server: Server) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", server.port))
    return connection


def test_crowds_of_idle_and_slow_clients_do_not_stop_others(repo: Path, tmp_path: Path) -> None:
    path = large_object(repo)
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with serving(tmp_path / "server", repo, "--workers=2") as server:
        assert server.get("/config").status == 200
        before = memory_kb(server)
        idle = [server.connect() for _ in range(1000)]
        slow = [small_window(server) for _ in range(100)]
        for connection in slow:
            connection.sendall(request)
        began = time.monotonic()
        for _ in range(100):
            assert server.get("/config").status == 200
        assert time.monotonic() - began < 20
        for connection in slow:
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        # 100 files of 12 MiB are being sent.
        assert memory_kb(server) - before < 120 << 10
        for connection in (*idle, *slow):
            connection.close()
        assert server.stop() == 0


def memory_kb(server: Server) -> int:
    total = 0
    for pid in server.workers():
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                total += int(line.split()[1])
    return total
