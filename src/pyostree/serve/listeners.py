"""Listening sockets: opened here, or handed over by the service manager."""

from __future__ import annotations

import errno
import itertools
import os
import socket
from contextlib import suppress

from pyostree.errors import OstreeError, doing

BACKLOG = 4096  # connections that wait while all workers are busy; none is refused
_FIRST_INHERITED = 3
_MAX_INHERITED = 16
_KEEPALIVE_S = 60
_PROBES = 4
# How long bytes may lie unacknowledged, or a client may keep its window closed.
_USER_TIMEOUT_MS = 120_000
# What waits in the kernel for a slow client, beyond what is on its way; else several megabytes.
_UNSENT_BYTES = 256 << 10


class ListenError(OstreeError):
    """The server cannot listen where it should."""


class AddressInUseError(ListenError):
    """Another server has the port."""

    hint = "choose another port with `--port`, 0 for any free one"


class PrivilegedPortError(ListenError):
    """The port is one of those that only root may have."""

    hint = "choose a port above 1023, or let systemd open the socket"


def open_listeners(host: str, port: int, count: int) -> list[list[socket.socket]]:
    """Listen on all addresses of `host`; with port 0 on a free one, the same for all.

    Each worker gets sockets of its own, between which the kernel spreads the connections; on a
    shared one the first worker that wakes up takes them all. They belong to the parent, so that
    connections that wait for a worker outlive it.

    Returns:
        For each of `count` workers its sockets, one for each address.

    Raises:
        ListenError: no such host, or the port is taken.
    """
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as err:
        reason = err.strerror if isinstance(err, socket.gaierror) else str(err)
        raise ListenError(f"Cannot listen on {host}: {reason}") from err
    sets: list[list[socket.socket]] = [[] for _ in range(count)]
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            if family not in (socket.AF_INET, socket.AF_INET6):
                continue
            wanted = (address[0], port, *address[2:])
            # Alone first: sharing a port would not notice a server that shares it, too.
            with _bind(family, wanted, is_shared=False) as probe:
                port = probe.getsockname()[1]
            for listeners in sets:
                listener = _bind(family, (address[0], port, *address[2:]), is_shared=True)
                listeners.append(listener)
                listener.listen(BACKLOG)
    except BaseException:
        for listener in itertools.chain(*sets):
            listener.close()
        raise
    return sets


def inherited_listeners() -> list[socket.socket]:
    """Return the sockets of systemd's socket activation, none without it.

    Raises:
        ListenError: what has been handed over is no listening socket.
    """
    pid = os.environ.pop("LISTEN_PID", "")
    count = os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal() or int(count) > _MAX_INHERITED:
        return []
    listeners = []
    for fd in range(_FIRST_INHERITED, _FIRST_INHERITED + int(count)):
        with doing(f"Taking over descriptor {fd} of the service manager"):
            try:
                listener = socket.socket(fileno=fd)
                is_listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            except OSError as err:
                raise ListenError("It is no socket") from err
            if not is_listening or listener.type != socket.SOCK_STREAM:
                raise ListenError("It is no listening stream socket: use Accept=no")
        listener.set_inheritable(False)
        listener.setblocking(False)
        _tune(listener)
        listeners.append(listener)
    return listeners


def format_address(listener: socket.socket) -> str:
    """Return ``HOST:PORT`` as in a URL, or the path of a Unix socket."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind(family: int, address: tuple[str | int, ...], *, is_shared: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        listener.setblocking(False)
        _tune(listener)
        listener.bind(address)
    except OSError as err:
        listener.close()
        shown = f"{address[0]}:{address[1]}"
        if err.errno == errno.EADDRINUSE:
            raise AddressInUseError(f"Cannot listen on {shown}: the port is in use") from err
        if err.errno == errno.EACCES:
            raise PrivilegedPortError(f"Cannot listen on {shown}: {err.strerror}") from err
        raise ListenError(f"Cannot listen on {shown}: {err.strerror}") from err
    return listener


def _tune(listener: socket.socket) -> None:
    """Set what accepted connections inherit: clients that vanish are noticed."""
    if listener.family == socket.AF_UNIX:
        return
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (socket.TCP_NODELAY, 1),
            (socket.TCP_KEEPIDLE, _KEEPALIVE_S),
            (socket.TCP_KEEPINTVL, _KEEPALIVE_S // _PROBES),
            (socket.TCP_KEEPCNT, _PROBES),
            (socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS),
            (socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES),
        ):
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
