"""`HttpServer`: accepts connections and answers requests.

One thread waits for all clients and answers what is small; what a client does not take at once is
left to a thread of its own. More threads would not be faster: they would wait for the interpreter.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from pyostree.errors import FormatError
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.remote.httpd.faults import AUTH_REALM, Faults, FaultSettings
from pyostree.remote.httpd.files import Answer, Files
from pyostree.remote.httpd.message import Request, format_head, parse_request, reason

_MAX_HEAD_BYTES = 64 << 10
_RECEIVE_BYTES = 16 << 10
_INLINE_BYTES = 64 << 10  # smaller files leave together with their head
_IDLE_S = 120
_BACKLOG = 128
_CHECK_S = 0.3
_METHODS = ("GET", "HEAD")
_TIMEVAL = struct.Struct("ll")
_END_OF_HEAD = b"\r\n\r\n"

Log = Callable[[str], None]


class _Client:
    """A connection and what has arrived on it."""

    __slots__ = ("last_seen", "received", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.received = b""
        self.last_seen = time.monotonic()


class _Reply:
    """What is still to be sent: bytes, then a part of a file."""

    __slots__ = ("data", "end", "file", "goes_on", "start")

    def __init__(self, data: bytes, *, goes_on: bool) -> None:
        self.data = data
        self.file: InputFile | None = None
        self.start = self.end = 0
        self.goes_on = goes_on

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None


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
        self._returned: deque[_Client] = deque()  # by threads that have finished with them
        self.port: int = self._socket.getsockname()[1]

    # -- connections ---------------------------------------------------------------------

    def serve(self, goes_on: Callable[[], bool]) -> None:
        """Answer requests as long as `goes_on` says so, which is asked a few times a second."""
        awake, self._wake = socket.socketpair()
        awake.setblocking(False)
        self._socket.setblocking(False)
        with selectors.DefaultSelector() as selector, self._socket, awake, self._wake:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(awake, selectors.EVENT_READ)
            self._selector = selector
            next_check = time.monotonic() + _CHECK_S
            while True:
                for key, _ in selector.select(_CHECK_S):
                    if key.fileobj is self._socket:
                        self._accept()
                    elif isinstance(key.data, _Client):
                        self._read(key.data)
                    else:
                        awake.recv(_RECEIVE_BYTES)
                        self._take_back()
                if time.monotonic() >= next_check:
                    next_check = time.monotonic() + _CHECK_S
                    if not goes_on():
                        return
                    self._drop_idle()

    def _accept(self) -> None:
        with suppress(OSError):
            connection, _ = self._socket.accept()
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(connection, selectors.EVENT_READ, _Client(connection))

    def _drop(self, client: _Client) -> None:
        self._selector.unregister(client.socket)
        _hang_up(client.socket)

    def _drop_idle(self) -> None:
        limit = time.monotonic() - _IDLE_S
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, _Client) and key.data.last_seen < limit:
                self._drop(key.data)

    def _take_back(self) -> None:
        while self._returned:
            client = self._returned.popleft()
            client.last_seen = time.monotonic()
            self._selector.register(client.socket, selectors.EVENT_READ, client)
            self._answer_all(client)  # it may have sent more meanwhile

    def _read(self, client: _Client) -> None:
        try:
            chunk = client.socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._drop(client)
            return
        client.last_seen = time.monotonic()
        client.received = (client.received + chunk).lstrip(b"\r\n")
        self._answer_all(client)

    def _answer_all(self, client: _Client) -> None:
        """Answer the requests that have arrived whole."""
        while _END_OF_HEAD in client.received:
            head, _, client.received = client.received.partition(_END_OF_HEAD)
            reply = self._reply(head)
            try:
                sent = client.socket.send(reply.data)
            except BlockingIOError:
                sent = 0
            except OSError:
                reply.close()
                self._drop(client)
                return
            reply.data = reply.data[sent:]
            if reply.data or reply.file is not None:
                self._selector.unregister(client.socket)
                threading.Thread(target=self._finish, args=(client, reply), daemon=True).start()
                return
            if not reply.goes_on:
                self._drop(client)
                return
        if len(client.received) > _MAX_HEAD_BYTES:
            with suppress(OSError):
                client.socket.send(_refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
            self._drop(client)

    def _finish(self, client: _Client, reply: _Reply) -> None:
        """Send the rest, in a thread; then the client goes back to the selector."""
        try:
            _send_rest(client.socket, reply)
        except OSError:
            reply.goes_on = False
        finally:
            reply.close()
        if not reply.goes_on:
            _hang_up(client.socket)
            return
        client.socket.setblocking(False)
        self._returned.append(client)
        with suppress(OSError):
            self._wake.send(b"\0")

    # -- requests ------------------------------------------------------------------------

    def _reply(self, head: bytes) -> _Reply:
        try:
            request = parse_request(head)
        except FormatError:
            return _Reply(_refusal(HTTPStatus.BAD_REQUEST), goes_on=False)
        if not self._faults.is_authorized(request):
            realm = (("WWW-Authenticate", f"Basic realm={AUTH_REALM}"),)
            return self._to_reply(request, Answer(HTTPStatus.UNAUTHORIZED, realm))
        self._log(f"serving {request.path}")
        answer = self._answer(request)
        status = HTTPStatus.OK if answer.file is not None else answer.status
        self._log(f"  status: {reason(status)} ({status.value})")
        return self._to_reply(request, answer)

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

    def _to_reply(self, request: Request, answer: Answer) -> _Reply:
        file = answer.file
        is_half = file is not None and self._faults.halves(request)
        goes_on = request.keeps_alive and not request.has_body and not is_half
        headers = [*answer.headers, ("Content-Length", str(answer.size))]
        if not goes_on:
            headers.append(("Connection", "close"))
        elif request.version == "HTTP/1.0":
            headers.append(("Connection", "keep-alive"))
        head = format_head(answer.status, headers, request.version)
        is_head = request.method == "HEAD"
        reply = _Reply(head if is_head else head + answer.text, goes_on=goes_on)
        if file is None:
            return reply
        end = answer.start + answer.size // 2 if is_half else answer.end
        if is_head:
            file.close()
        elif end - answer.start <= _INLINE_BYTES:
            with file:
                reply.data += _read_part(file, answer.start, end)
            # A file that became shorter meanwhile: only closing tells the client.
            reply.goes_on = goes_on and len(reply.data) == len(head) + end - answer.start
        else:
            reply.file, reply.start, reply.end = file, answer.start, end
        return reply


def _read_part(file: InputFile, start: int, end: int) -> bytes:
    try:
        file.rewind(start)
        return file.read_exactly(end - start)
    except OSError:
        return b""


def _send_rest(connection: socket.socket, reply: _Reply) -> None:
    connection.setblocking(True)
    # Kept by the kernel, since sendfile knows no time limit of Python's.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(_IDLE_S, 0))
    connection.sendall(reply.data, 0 if reply.file is None else socket.MSG_MORE)
    if reply.file is None:
        return
    position = reply.start
    while position < reply.end:
        sent = reply.file.send_to(connection.fileno(), position, reply.end - position)
        if sent == 0:
            raise ConnectionAbortedError
        position += sent


def _hang_up(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _refusal(status: HTTPStatus) -> bytes:
    return format_head(status, [("Content-Length", "0"), ("Connection", "close")], "HTTP/1.1")


def _listen(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        with suppress(OSError):
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG
            )
    return socket.create_server(("", port), backlog=_BACKLOG)
