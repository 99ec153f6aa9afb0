"""A web server on a loopback port whose answers a test can spoil."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple


class Reply(NamedTuple):
    """One answer.

    Attributes:
        promised: the length announced; None: that of the body.
        drip_s: pause after the headers; the connection is dropped then.
        is_endless: the body is repeated until the client goes away.
    """

    body: bytes
    status: int = 200
    promised: int | None = None
    drip_s: float = 0
    is_endless: bool = False
    location: str | None = None


Fault = Callable[[Reply], Reply]


class ScriptedServer:
    """Serves the files below `root`; `faults` maps ends of paths to what spoils the answer."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.url = url
        self.faults: dict[str, Fault] = {}
        self.requests: list[str] = []

    def reply(self, path: str) -> Reply:
        self.requests.append(path)
        file = self.root / path.lstrip("/")
        reply = Reply(file.read_bytes()) if file.is_file() else Reply(b"", 404)
        for end, fault in self.faults.items():
            if path.endswith(end):
                reply = fault(reply)
        return reply


@contextmanager
def scripted_server(root: Path) -> Iterator[ScriptedServer]:
    """Run a server until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            with suppress(ConnectionError, TimeoutError):
                self.answer(server.reply(self.path))

        def answer(self, reply: Reply) -> None:
            self.send_response(reply.status)
            if reply.location is not None:
                self.send_header("Location", reply.location)
            if reply.is_endless:
                self.send_header("Connection", "close")
                self.close_connection = True
            else:
                promised = len(reply.body) if reply.promised is None else reply.promised
                self.send_header("Content-Length", str(promised))
            self.end_headers()
            if reply.drip_s:
                self.wfile.flush()
                ended.wait(reply.drip_s)
                self.close_connection = True
                return
            self.wfile.write(reply.body)
            while reply.is_endless and not ended.is_set():
                self.wfile.write(reply.body)
            if reply.promised is not None:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Be quiet."""

    ended = threading.Event()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    server = ScriptedServer(root, f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        ended.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()
