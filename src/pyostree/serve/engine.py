"""The HTTP engine: granian, embedded into a worker process.

granian's own supervisor binds its sockets by itself, one per worker, so that port 0, sockets of
systemd and a restart without refused connections are out of its reach; so only its engine is used,
one per listening socket.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.embed import Server

from pyostree.errors import OstreeError
from pyostree.fs.limits import open_files_limit
from pyostree.serve.listeners import BACKLOG
from pyostree.serve.options import Certificates

_HEAD_TIMEOUT_S = 20
# The smallest that hold a request of ours several times over: what a connection may keep in memory.
_HEAD_BYTES = 32 << 10
_BODY_WINDOW_BYTES = 64 << 10  # clients send no bodies; the least that HTTP/2 allows
_SEND_BUFFER_BYTES = 256 << 10  # of one HTTP/2 stream
_STREAMS = 128  # as many as our own client has
_FILE_THREADS = 64
_MAX_CONNECTIONS = 4096
_OTHER_DESCRIPTORS = 64
_LOG = {  # its own goes to standard output
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "ostree serve: %(message)s"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "stream": "ext://sys.stderr",
        },
    },
    "loggers": {"_granian": {"handlers": ["console"], "level": "ERROR", "propagate": False}},
}

Target = Callable[[Any, Any], Awaitable[None]]


class EngineError(OstreeError):
    """The HTTP engine does not work."""


class Engine(Server):
    """Serves one listening socket, in this process, until told to stop."""

    def __init__(
        self,
        listener: socket.socket,
        target: Target,
        certificates: Certificates | None,
        *,
        idle_s: int,
    ) -> None:
        self._listener = listener
        self._started = asyncio.Event()
        super().__init__(
            target,
            http=HTTPModes.auto,
            websockets=False,
            backlog=BACKLOG,
            backpressure=max_connections(),
            runtime_blocking_threads=_FILE_THREADS,
            http1_settings=HTTP1Settings(
                header_read_timeout=min(_HEAD_TIMEOUT_S, idle_s) * 1000,
                max_buffer_size=_HEAD_BYTES,
            ),
            http2_settings=HTTP2Settings(
                initial_connection_window_size=_BODY_WINDOW_BYTES,
                initial_stream_window_size=_BODY_WINDOW_BYTES,
                max_concurrent_streams=_STREAMS,
                max_headers_size=_HEAD_BYTES,
                max_send_buffer_size=_SEND_BUFFER_BYTES,
            ),
            log_level=LogLevels.error,
            log_dictconfig=_LOG,
            ssl_cert=None if certificates is None else Path(certificates.chain),
            ssl_key=None if certificates is None else Path(certificates.key),
            ssl_protocol_min=SSLProtocols.tls12,
        )

    def startup(self, spawn_target: object, target_loader: object) -> None:
        """Start to listen."""
        super().startup(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        # Later than the first step of the task that has just been made, which does everything.
        asyncio.get_running_loop().call_soon(self._started.set)

    async def is_up(self) -> None:
        """Wait until requests are answered.

        Raises:
            EngineError: they never will be.
        """
        await self._started.wait()
        if not all(one.is_alive() for one in self.wrks):  # type: ignore[no-untyped-call]
            raise EngineError("The HTTP engine does not start")

    def build_ssl_context(self, cert: Path | None, key: Path | None, *rest: Any) -> None:  # noqa: ANN401
        """Note what TLS is to be spoken with."""
        super().build_ssl_context(None, None, *rest)
        if cert is not None and key is not None:
            # As they are: the engine would resolve links, and those of our copies lead nowhere.
            context: Any = (True, str(cert), str(key), *self.ssl_ctx[3:])
            self.ssl_ctx = context

    def stop(self) -> None:
        """Take no more connections; `serve` returns when the running transfers have ended."""
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    def _init_shared_socket(self) -> None:
        # The engine closes what it gets.
        fd = os.dup(self._listener.fileno())
        is_unix = self._listener.family == socket.AF_UNIX
        make: Any = SocketHolder  # its stub lacks the constructor
        self._shd: Any = make(fd, is_unix, BACKLOG)
        self._sfd: Any = fd


def max_connections() -> int:
    """Return how many connections one worker takes; more wait until one ends.

    Each may need two descriptors: its socket and the file that is being sent.
    """
    return max(min(_MAX_CONNECTIONS, (open_files_limit() - _OTHER_DESCRIPTORS) // 2), 1)
