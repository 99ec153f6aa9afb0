"""A web server on a loopback port that answers like those of real mirrors, and takes notes."""

from __future__ import annotations

import gzip
import hashlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Web:
    """Serves the files below `root`.

    A path that starts with ``/gz/`` is served compressed to those who accept that; one that starts
    with ``/bare/`` without the version of the file; ``/500/`` always fails.

    Attributes:
        url: without a slash at the end.
        log: status and path of the requests, with what the client said to know already.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = ""
        self.log: list[str] = []


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # the client had enough
            super().handle_error(request, client_address)


@contextmanager
def serving(root: Path) -> Iterator[Web]:
    """Run a server until the block is left."""
    web = Web(root)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            prefix, _, rest = path.lstrip("/").partition("/")
            file = root / (rest if prefix in ("gz", "bare", "500") else path.lstrip("/"))
            data = file.read_bytes() if file.is_file() else b""
            status = 200 if file.is_file() else 404
            headers = {}
            etag = f'"{hashlib.sha256(data).hexdigest()[:12]}"'
            if status == 200 and prefix != "bare":
                headers["ETag"] = etag
                headers["Last-Modified"] = formatdate(file.stat().st_mtime, usegmt=True)
                if self.headers.get("If-None-Match") == etag:
                    status, data = 304, b""
            if prefix == "500":
                status, data = 500, b"sorry"
            if prefix == "gz" and data and "gzip" in self.headers.get("Accept-Encoding", ""):
                data = gzip.compress(data)
                headers["Content-Encoding"] = "gzip"
            known = "".join(
                f" {name}={self.headers[name]}"
                for name in ("If-None-Match", "If-Modified-Since", "Cookie")
                if name in self.headers
            )
            web.log.append(f"{status} {path}{known}")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing: the notes suffice."""

    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
