"""A web server on a loopback port whose answers a test can spoil."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

_RANGE = re.compile(r"bytes=(\d+)-")
_TRICKLE_BYTES = 10
# Closing sends a reset instead of the rest.
_LINGER_RESET = struct.pack("ii", 1, 0)


class Reply(NamedTuple):
    """One answer.

    Attributes:
        promised: the length announced; None: that of the body.
        drip_s: pause after the headers; the connection is dropped then.
        is_endless: the body is repeated until the client goes away.
        headers: more of them.
        trickle_s: pause between every few bytes of the body.
        is_reset: the connection is reset after the body.
        raw: sent in place of everything, verbatim.
    """

    body: bytes
    status: int = 200
    promised: int | None = None
    drip_s: float = 0
    is_endless: bool = False
    location: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    trickle_s: float = 0
    is_reset: bool = False
    raw: bytes | None = None


Fault = Callable[[Reply], Reply]


class ScriptedServer:
    """Serves the files below `root`; `faults` maps ends of paths to what spoils the answer.

    Attributes:
        requests: paths, in order.
        seen: headers of the requests, their names in lower case, in the same order.
        serves_ranges: whether the rest of a file can be asked for.
        etag: of every file; None to send none.
        most_at_once: answers that were being made at the same time.
        connections: how many were made.
    """

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.url = url
        self.faults: dict[str, Fault] = {}
        self.requests: list[str] = []
        self.seen: list[dict[str, str]] = []
        self.serves_ranges = False
        self.etag: str | None = None
        self.most_at_once = 0
        self.connections = 0

    def reply(self, path: str, headers: dict[str, str]) -> Reply:
        self.requests.append(path)
        self.seen.append(headers)
        file = self.root / path.lstrip("/")
        reply = self._found(file.read_bytes(), headers) if file.is_file() else Reply(b"", 404)
        for end, fault in list(self.faults.items()):
            if path.endswith(end):
                reply = fault(reply)
        return reply

    def _found(self, data: bytes, headers: dict[str, str]) -> Reply:
        more = () if self.etag is None else (("ETag", self.etag),)
        wanted = _RANGE.fullmatch(headers.get("range", ""))
        is_same = headers.get("if-range") in (None, self.etag)
        if not (self.serves_ranges and wanted and is_same):
            return Reply(data, headers=more)
        start = int(wanted[1])
        if start >= len(data):
            place = ("Content-Range", f"bytes */{len(data)}")
            return Reply(b"beyond the end", 416, headers=(place,))
        place = ("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        return Reply(data[start:], 206, headers=(*more, place))


@contextmanager
def scripted_server(root: Path, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """Run a server until the block is left."""
    httpd = _Server(("127.0.0.1", 0), _Handler)
    scheme = "http"
    if tls is not None:
        httpd.socket = tls.wrap_socket(
            httpd.socket, server_side=True, do_handshake_on_connect=False
        )
        scheme = "https"
    httpd.script = ScriptedServer(root, f"{scheme}://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield httpd.script
    finally:
        httpd.ended.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # a burst of connections is no reason to refuse one
    script: ScriptedServer

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.ended = threading.Event()
        self.busy = threading.Lock()
        self.active = 0

    def handle_error(self, *_: object) -> None:
        """Be quiet: clients that go away are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        with self.server.busy:
            self.server.script.connections += 1
        super().setup()

    def handle(self) -> None:
        with suppress(ConnectionError, TimeoutError, ssl.SSLError):
            super().handle()

    def do_GET(self) -> None:
        server, script = self.server, self.server.script
        with server.busy:
            server.active += 1
            script.most_at_once = max(script.most_at_once, server.active)
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._answer(script.reply(self.path, headers))
        finally:
            with server.busy:
                server.active -= 1

    def _answer(self, reply: Reply) -> None:
        if reply.raw is None:
            self._send_head(reply)
        else:
            self.wfile.write(reply.raw)
            self.close_connection = True
        if reply.drip_s:
            self.wfile.flush()
            self.server.ended.wait(reply.drip_s)
            self.close_connection = True
            return
        self._send_body(reply)
        self.wfile.flush()
        if reply.is_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            self.close_connection = True
        elif reply.promised is not None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def _send_head(self, reply: Reply) -> None:
        self.send_response(reply.status)
        if reply.location is not None:
            self.send_header("Location", reply.location)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.is_endless:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            promised = len(reply.body) if reply.promised is None else reply.promised
            self.send_header("Content-Length", str(promised))
        self.end_headers()

    def _send_body(self, reply: Reply) -> None:
        ended = self.server.ended
        if reply.trickle_s:
            for start in range(0, len(reply.body), _TRICKLE_BYTES):
                self.wfile.write(reply.body[start : start + _TRICKLE_BYTES])
                if ended.wait(reply.trickle_s):
                    break
            return
        self.wfile.write(reply.body)
        while reply.is_endless and not ended.is_set():
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Be quiet."""
