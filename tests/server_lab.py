"""Servers as the world has them, on loopback ports: nginx, HTTP/3, proxies."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent

from fault.certificates import Authority, Pair

_ATTEMPTS = 5
_START_S = 5.0
_CONFIG = """
{user} worker_processes 1; daemon off; pid {state}/pid; error_log {state}/error.log;
events {{ worker_connections 512; }}
http {{
  log_format notes '$server_port|$connection|$server_protocol|$status|$request_uri|$http_user_agent'
                   '|$http_x_token|$http_cookie|$http_authorization|$http_accept_encoding|$host';
  access_log {state}/access.log notes;
  client_body_temp_path {state}/body; proxy_temp_path {state}/proxy;
  fastcgi_temp_path {state}/fastcgi; uwsgi_temp_path {state}/uwsgi; scgi_temp_path {state}/scgi;
  root {root};
  gzip_types *; gzip_min_length 1;
  server {{
    listen 127.0.0.1:{ports.http};
    location /private/ {{ auth_basic "lab"; auth_basic_user_file {state}/users; alias {root}/; }}
    location /gzip/ {{ gzip on; alias {root}/; }}
  }}
  server {{ listen 127.0.0.1:{ports.proxy}; location / {{ proxy_pass http://$http_host; }} }}
  server {{ listen 127.0.0.1:{ports.good} ssl http2; {good} }}
  server {{ listen 127.0.0.1:{ports.other_host} ssl http2; {other_host} }}
  server {{ listen 127.0.0.1:{ports.expired} ssl http2; {expired} }}
  server {{
    listen 127.0.0.1:{ports.client} ssl http2; {good}
    ssl_client_certificate {authority}; ssl_verify_client on;
  }}
}}
"""


class Ports(NamedTuple):
    """What listens where; the last four speak TLS."""

    http: int
    proxy: int
    good: int
    other_host: int
    expired: int
    client: int


class Note(NamedTuple):
    """A request as nginx has seen it."""

    port: str
    connection: str
    protocol: str
    status: str
    path: str
    agent: str
    token: str
    cookie: str
    authorization: str
    encoding: str
    host: str


class Nginx:
    """A running nginx that serves `root`, with certificates of `authority`."""

    def __init__(self, root: Path, state: Path, authority: Authority, ports: Ports) -> None:
        self.root = root
        self.ports = ports
        self.authority = authority
        self._log = state / "access.log"
        self.client_pair: Pair
        self._barriers = 0

    def url(self, port: int, path: str = "") -> str:
        scheme = "https" if port in self.ports[2:] else "http"
        return f"{scheme}://127.0.0.1:{port}/{path}"

    def notes(self, port: int, count: int) -> list[Note]:
        """Return the requests to `port` once there are `count`."""
        end_s = time.monotonic() + _START_S
        while True:
            lines = self._log.read_text().splitlines()
            notes = [Note(*line.split("|")) for line in lines]
            found = [note for note in notes if note.port == str(port)]
            if len(found) >= count:
                return found
            assert time.monotonic() < end_s, f"only {len(found)} requests"
            time.sleep(0.01)

    def forget(self) -> None:
        """Forget the requests so far: nginx notes them a moment after it has answered."""
        self._barriers += 1
        mark = f"/barrier-{self._barriers}|"
        with socket.create_connection(("127.0.0.1", self.ports.http)) as client:
            client.sendall(f"GET {mark[:-1]} HTTP/1.0\r\n\r\n".encode())
            while client.recv(1 << 16):
                pass
        while mark not in self._log.read_text():
            time.sleep(0.005)
        os.truncate(self._log, 0)


@contextmanager
def nginx(root: Path, state: Path) -> Iterator[Nginx]:
    """Run nginx until the block is left."""
    state.mkdir()
    authority = Authority(state)
    pairs = {
        "good": authority.issue("good"),
        "other_host": authority.issue("other", host="elsewhere.example"),
        "expired": authority.issue("expired", is_expired=True),
    }
    certificates = {
        name: f"ssl_certificate {pair.cert}; ssl_certificate_key {pair.key};"
        for name, pair in pairs.items()
    }
    (state / "users").write_text("foo:{PLAIN}bar\n")
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert binary, "the Debian package nginx-light is missing: run `make test`"
    for _ in range(_ATTEMPTS):  # somebody may take a free port before it does
        ports = Ports(*(free_port() for _ in Ports._fields))
        config = _CONFIG.format(
            user="user root;" if os.getuid() == 0 else "",
            state=state, root=root, ports=ports, authority=authority.path, **certificates,
        )  # fmt: skip
        (state / "nginx.conf").write_text(config)
        process = subprocess.Popen(
            [binary, "-c", state / "nginx.conf", "-e", state / "error.log"],
            stderr=subprocess.DEVNULL,
        )
        try:
            if _is_up(process, ports.client):
                running = Nginx(root, state, authority, ports)
                running.client_pair = authority.issue("client")
                yield running
                return
        finally:
            process.terminate()
            process.wait()
    raise AssertionError((state / "error.log").read_text())


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of the loopback interface that nobody has at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_up(process: subprocess.Popen[bytes], port: int) -> bool:
    end_s = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < end_s:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return True
        time.sleep(0.01)
    return False


class Http3:
    """What an HTTP/3 server was asked for; `url` has no slash at its end."""

    def __init__(self, root: Path, port: int) -> None:
        self.root = root
        self.url = f"https://127.0.0.1:{port}"
        self.paths: list[str] = []


class _Http3Protocol(QuicConnectionProtocol):
    server: Http3

    def quic_event_received(self, event: QuicEvent) -> None:
        if not hasattr(self, "_http"):
            self._http = H3Connection(self._quic)
        for found in self._http.handle_event(event):
            if not isinstance(found, HeadersReceived):
                continue
            path = dict(found.headers)[b":path"].decode()
            self.server.paths.append(path)
            file = self.server.root / path.lstrip("/")
            status = b"200" if file.is_file() else b"404"
            self._http.send_headers(found.stream_id, [(b":status", status)])
            body = file.read_bytes() if file.is_file() else b""
            self._http.send_data(found.stream_id, body, end_stream=True)
            self.transmit()


@contextmanager
def http3(root: Path, pair: Pair) -> Iterator[Http3]:
    """Serve `root` over QUIC, and over nothing else, until the block is left."""
    server = Http3(root, free_port(socket.SOCK_DGRAM))
    protocol = type("Protocol", (_Http3Protocol,), {"server": server})
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=False)
    configuration.load_cert_chain(pair.cert, pair.key)
    loop = asyncio.new_event_loop()
    port = int(server.url.rpartition(":")[2])
    running = loop.run_until_complete(
        serve("127.0.0.1", port, configuration=configuration, create_protocol=protocol)
    )
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(running.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0.01))  # sockets are closed a turn later
        loop.close()


class Tunnels:
    """A proxy for TLS; `targets` are those that it was asked for."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.targets: list[str] = []


@contextmanager
def tunnels() -> Iterator[Tunnels]:
    """Run a proxy that only knows CONNECT until the block is left."""
    server = _TunnelServer(("127.0.0.1", 0), _TunnelHandler)
    server.notes = Tunnels(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.notes
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _TunnelServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    notes: Tunnels


class _TunnelHandler(socketserver.StreamRequestHandler):
    server: _TunnelServer

    def handle(self) -> None:
        target = self.rfile.readline().decode().split(" ")[1]
        while self.rfile.readline().strip():
            pass
        self.server.notes.targets.append(target)
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as far:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(far, self.connection))
            back.start()
            _pump(self.connection, far)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
