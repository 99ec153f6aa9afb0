"""A real ``ostree serve`` on a loopback port, and ways to talk to it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

OURS = os.path.join(os.path.dirname(sys.executable), "ostree")
TIMEOUT_S = 30


class Server:
    """A server and where it is.

    Attributes:
        url: without a slash at the end.
        out: file with what it printed.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, scheme: str, out: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.out = out

    def workers(self) -> list[int]:
        """Return the processes of its workers."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in path.read_text().split()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(TIMEOUT_S)

    def connect(self) -> socket.socket:
        """Return a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S)

    def get(self, path: str, method: str = "GET", **headers: str) -> Response:
        """Send one request; ``If_Range`` is the header ``If-Range``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body)


class Response(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@contextmanager
def serving(work: Path, *words: str | Path, wrapper: Sequence[str] = ()) -> Iterator[Server]:
    """Run ``ostree serve`` with `words` on a free port until the block is left.

    Args:
        work: a directory of this server.
        wrapper: a command that runs it.
    """
    work.mkdir(exist_ok=True)
    port_file, out = work / "port", work / "out"
    port_file.unlink(missing_ok=True)
    scheme = "https" if any(str(word).startswith("--tls-cert") for word in words) else "http"
    command = [*wrapper, OURS, "serve", f"--port-file={port_file}", "--port=0", *map(str, words)]
    with out.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: port_file.exists() or process.poll() is not None)
        assert port_file.exists(), out.read_text()
        yield Server(process, int(port_file.read_text()), scheme, out)
    finally:
        process.kill()
        process.wait()


def wait_until(condition: object, timeout_s: float = TIMEOUT_S) -> None:
    """Wait until a callable returns something true."""
    assert callable(condition)
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.01)


def read_all(connection: socket.socket) -> bytes:
    """Return all bytes until the other side closes, or resets, the connection."""
    data = b""
    try:
        while chunk := connection.recv(1 << 16):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def make_certificate(directory: Path, algorithm: str = "P-256") -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1; return it and its key, on a named curve or of ed448."""
    chain, key = directory / "cert.pem", directory / "key.pem"
    kind = ["ed448"]
    if algorithm != "ed448":
        kind = ["ec", "-pkeyopt", f"ec_paramgen_curve:{algorithm}"]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", *kind),
            *("-nodes", "-days", "30", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            *("-addext", "basicConstraints=critical,CA:TRUE"),
            *("-keyout", str(key), "-out", str(chain)),
        ],
        check=True,
        capture_output=True,
    )
    return chain, key
