"""Lines for people, on standard error."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress

_PATIENCE_MS = 100


def say(message: str) -> None:
    """Write a line; rather leave it out than wait for a reader that has stopped."""
    line = f"ostree serve: {message}\n".encode("utf-8", "backslashreplace")
    with suppress(OSError, ValueError):  # nobody has it open any more
        fd = sys.stderr.fileno()
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        if poll.poll(_PATIENCE_MS):
            os.write(fd, line[: select.PIPE_BUF])
