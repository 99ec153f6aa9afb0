"""The access log: one line for a request, in the common log format with the time it took.

::

    192.0.2.7 - - [23/Nov/2026:05:39:15 +0000] "GET /summary HTTP/2" 200 1234 0.412

The last number is milliseconds from the request to the head of its answer; a body is sent after
that, for as long as the client takes. Lines are handed over a few times a second, whole.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

STANDARD_OUTPUT = "-"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FLUSH_BYTES = 32 << 10
_UNPRINTABLE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\\u2028\u2029\ud800-\udfff]')
# Of a path and of a method: a line stays below what a pipe keeps together, 4,096 bytes.
_MAX_PATH_BYTES = 3072
_MAX_METHOD_BYTES = 64


class Request(NamedTuple):
    """What a line says about a request; `protocol` is ``1.1`` or ``2``."""

    client: str
    method: str
    path: str
    protocol: str


class AccessLog:
    """Collects lines.

    Args:
        put: takes some of them; it must neither wait nor fail.
    """

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put = put
        self._lines: list[str] = []
        self._size = 0
        self._second = -1
        self._stamp = ""

    def add(self, request: Request, status: int, size: int, took_s: float) -> None:
        """Note one request."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            when = time.localtime(now)
            # Programs that read the log know English months only, whatever the locale.
            month = _MONTHS[when.tm_mon - 1]
            self._stamp = time.strftime(f"%d/{month}/%Y:%H:%M:%S %z", when)
        host = request.client.rpartition(":")[0].strip("[]") or "-"
        line = (
            f'{host} - - [{self._stamp}] "{_shown(request.method, _MAX_METHOD_BYTES)} '
            f'{_shown(request.path, _MAX_PATH_BYTES)} HTTP/{request.protocol}" '
            f"{status} {size} {took_s * 1000:.3f}\n"
        )
        self._lines.append(line)
        self._size += len(line)
        if self._size >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand over what has been collected."""
        if self._lines:
            data = "".join(self._lines).encode("utf-8", "replace")
            self._lines.clear()
            self._size = 0
            self._put(data)


def _shown(text: str, max_bytes: int) -> str:
    # Whatever a client sends must not look like another line, or move the cursor of a terminal.
    shown = text[:max_bytes]
    if shown.isascii() and shown.isprintable() and '"' not in shown and "\\" not in shown:
        return shown
    escaped = _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", shown)
    return escaped.encode()[:max_bytes].decode("utf-8", "ignore")
