"""The access log: one line for a request, in the common log format with the time it took.

::

    192.0.2.7 - - [23/Nov/2026:05:39:15 +0000] "GET /summary HTTP/2" 200 1234 0.412

The last number is milliseconds from the request to the head of its answer; a body is sent after
that, for as long as the client takes. Lines are written a few times a second, whole.
"""

from __future__ import annotations

import re
import time
from typing import NamedTuple

from pyostree.fs.append_file import AppendFile

STANDARD_OUTPUT = "-"
_FLUSH_BYTES = 32 << 10
_UNPRINTABLE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\\u2028\u2029\ud800-\udfff]')
_MAX_SHOWN = 1024


class Request(NamedTuple):
    """What a line says about a request; `protocol` is ``1.1`` or ``2``."""

    client: str
    method: str
    path: str
    protocol: str


class AccessLog:
    """Collects lines for a file, which may be shared with other processes."""

    def __init__(self, file: AppendFile) -> None:
        self._file = file
        self._lines: list[str] = []
        self._size = 0
        self._second = -1
        self._stamp = ""

    def add(self, request: Request, status: int, size: int, took_s: float) -> None:
        """Note one request."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._stamp = time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(now))
        host = request.client.rpartition(":")[0].strip("[]") or "-"
        line = (
            f'{host} - - [{self._stamp}] "{_shown(request.method)} {_shown(request.path)} '
            f'HTTP/{request.protocol}" {status} {size} {took_s * 1000:.3f}\n'
        )
        self._lines.append(line)
        self._size += len(line)
        if self._size >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has been collected.

        Raises:
            OSError: the disk is full, or the reader of a pipe has gone; the lines are lost.
        """
        if self._lines:
            data = "".join(self._lines).encode("utf-8", "replace")
            self._lines.clear()
            self._size = 0
            self._file.write(data)


def _shown(text: str) -> str:
    # Whatever a client sends must not look like another line, or move the cursor of a terminal.
    shown = text[:_MAX_SHOWN]
    if shown.isascii() and shown.isprintable() and '"' not in shown and "\\" not in shown:
        return shown
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", shown)
