"""`HttpServer`: accepts connections and answers requests, one thread to a connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from pyostree.errors import FormatError
from pyostree.fs.dir import Dir
from pyostree.remote.httpd.faults import AUTH_REALM, Faults, FaultSettings
from pyostree.remote.httpd.files import Answer, Files
from pyostree.remote.httpd.message import Request, format_head, parse_request, reason

_MAX_HEAD_BYTES = 64 << 10
_RECEIVE_BYTES = 16 << 10
_INLINE_BYTES = 64 << 10  # smaller files leave in one packet train with their head
_IDLE_S = 120.0
_BACKLOG = 128
_CHECK_S = 0.3
_METHODS = ("GET", "HEAD")

Log = Callable[[str], None]


class HttpServer:
    """A server of one directory, listening from the start on all addresses.

    Attributes:
        port: where it listens.
    """

    def __init__(self, root: Dir, log: Log, *, port: int = 0, faults: FaultSettings) -> None:
        self._faults = Faults(faults)
        self._files = Files(root)
        self._log = log
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]

    def serve(self, goes_on: Callable[[], bool]) -> None:
        """Answer requests as long as `goes_on` says so, which is asked a few times a second."""
        self._socket.settimeout(_CHECK_S)
        with self._socket:
            while goes_on():
                try:
                    connection, _ = self._socket.accept()
                except TimeoutError:
                    continue
                thread = threading.Thread(target=self._converse, args=(connection,), daemon=True)
                thread.start()

    def _converse(self, connection: socket.socket) -> None:
        """Answer the requests of one client until it has enough."""
        with connection, suppress(OSError):
            connection.settimeout(_IDLE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            received = b""
            while True:
                head, received = _receive_head(connection, received)
                if head is None or not self._respond(connection, head):
                    break
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _respond(self, connection: socket.socket, head: bytes) -> bool:
        """Answer one request; return whether another may follow."""
        try:
            request = parse_request(head)
        except FormatError:
            connection.sendall(_refusal(HTTPStatus.BAD_REQUEST))
            return False
        if not self._faults.is_authorized(request):
            realm = (("WWW-Authenticate", f"Basic realm={AUTH_REALM}"),)
            answer = Answer(HTTPStatus.UNAUTHORIZED, realm)
        else:
            self._log(f"serving {request.path}")
            answer = self._answer(request)
            status = HTTPStatus.OK if answer.file is not None else answer.status
            self._log(f"  status: {reason(status)} ({status.value})")
        try:
            return self._send(connection, request, answer)
        finally:
            if answer.file is not None:
                answer.file.close()

    def _answer(self, request: Request) -> Answer:
        if request.method not in _METHODS:
            return Answer(HTTPStatus.NOT_IMPLEMENTED)
        if (problem := self._faults.missing(request)) is not None:
            self._log(problem)
            return Answer(HTTPStatus.FORBIDDEN)
        if ".." in request.path.split("/"):
            return Answer(HTTPStatus.FORBIDDEN)
        if (status := self._faults.random_status()) is not None:
            return Answer(status)
        return self._files.answer(request)

    def _send(self, connection: socket.socket, request: Request, answer: Answer) -> bool:
        is_half = answer.file is not None and self._faults.halves(request)
        goes_on = request.keeps_alive and not request.has_body and not is_half
        headers = [*answer.headers, ("Content-Length", str(answer.size))]
        if not goes_on:
            headers.append(("Connection", "close"))
        elif request.version == "HTTP/1.0":
            headers.append(("Connection", "keep-alive"))
        head = format_head(answer.status, headers, request.version)
        if request.method == "HEAD":
            connection.sendall(head)
        elif answer.file is None:
            connection.sendall(head + answer.text)
        else:
            end = answer.start + answer.size // 2 if is_half else answer.end
            _send_file(connection, head, answer, end)
        return goes_on


def _send_file(connection: socket.socket, head: bytes, answer: Answer, end: int) -> None:
    file = answer.file
    assert file is not None
    size = end - answer.start
    if size <= _INLINE_BYTES:
        file.rewind(answer.start)
        content = file.read_exactly(size)
        connection.sendall(head + content)
        if len(content) < size:  # the file became shorter: only closing tells the client
            raise ConnectionAbortedError
        return
    connection.sendall(head, socket.MSG_MORE)
    position = answer.start
    connection.setblocking(True)  # sendfile knows no time limit of Python's
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(_IDLE_S))
    while position < end:
        sent = file.send_to(connection.fileno(), position, end - position)
        if sent == 0:
            raise ConnectionAbortedError
        position += sent
    connection.settimeout(_IDLE_S)


def _timeval(seconds: float) -> bytes:
    return int(seconds).to_bytes(8, "little") + bytes(8)


def _receive_head(connection: socket.socket, received: bytes) -> tuple[bytes | None, bytes]:
    """Return the next request's head, None at the end, and what came after it."""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(_RECEIVE_BYTES)
        if not chunk:
            return None, b""
        received = (received + chunk).lstrip(b"\r\n")
        if len(received) > _MAX_HEAD_BYTES:
            connection.sendall(_refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
            return None, b""
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def _refusal(status: HTTPStatus) -> bytes:
    return format_head(status, [("Content-Length", "0"), ("Connection", "close")], "HTTP/1.1")


def _listen(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        with suppress(OSError):
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG
            )
    return socket.create_server(("", port), backlog=_BACKLOG)
