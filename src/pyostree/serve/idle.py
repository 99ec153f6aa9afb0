"""Ending connections on which nothing happens, whatever they are waiting for.

The server has a time limit for the head of an HTTP/1 request only. A client that says nothing at
all, stops reading its answer, or keeps an HTTP/2 connection for ever would hold a place for as long
as it likes. The kernel knows when bytes last went either way.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress

# struct tcp_info: the state, then u32 fields from the 8th byte on; times are milliseconds ago.
_INFO_BYTES = 104
_STATE = 0
_LAST_DATA_SENT = 44
_LAST_DATA_RECEIVED = 52
_TCP_LISTEN = 10
_U32 = struct.Struct("=I")


def close_idle(idle_s: float) -> int:
    """Shut down the TCP connections of this process that have been silent; return how many.

    Args:
        idle_s: for how long nothing has come or gone.
    """
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # most are no connections
            count += _close_if_idle(int(name), int(idle_s * 1000))
    return count


def _close_if_idle(fd: int, idle_ms: int) -> bool:
    # On a duplicate: the number may belong to another file from one moment to the next.
    duplicate = os.dup(fd)
    try:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=duplicate)
    except OSError:
        os.close(duplicate)
        return False
    with connection:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        if len(info) < _INFO_BYTES or info[_STATE] == _TCP_LISTEN:
            return False
        sent_ms = _U32.unpack_from(info, _LAST_DATA_SENT)[0]
        received_ms = _U32.unpack_from(info, _LAST_DATA_RECEIVED)[0]
        if min(sent_ms, received_ms) < idle_ms:
            return False
        connection.shutdown(socket.SHUT_RDWR)
        return True
