"""What a forked process does first: it must not outlive its parent, nor hold on to its sockets."""

from __future__ import annotations

import os
import signal
import socket
import stat
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_STANDARD_STREAMS = 3


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process as soon as the process `parent` has ended."""
    import ctypes  # slow to import; whoever writes into a repository has loaded it

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before that call
        os._exit(1)


def close_other_sockets(own: socket.socket) -> None:
    """Close all sockets but `own` and the standard streams.

    A connection ends when the last process that has its socket closes it.
    """
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor < _STANDARD_STREAMS or descriptor == own.fileno():
            continue
        with suppress(OSError):  # the descriptor of the listing itself is gone
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.close(descriptor)
