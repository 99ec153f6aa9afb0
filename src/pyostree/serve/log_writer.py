"""`LogWriter`: writes the access log, so that nobody waits for a disk or for its reader."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

from pyostree.errors import describe
from pyostree.fs.append_file import MAX_TOGETHER_BYTES, AppendFile

_MAX_PENDING_BYTES = 4 << 20  # seconds of a busy worker
_GOODBYE_S = 1.0


class LogWriter:
    """Owns a file, and the thread that appends to it.

    A server that waited for whoever reads its log would stand still when that reader does. So lines
    are dropped when too many have been waiting, and counted.

    Args:
        say: gets a line for people when lines are lost, and how many when it is over.
        max_pending_bytes: how much may wait.
    """

    def __init__(
        self,
        file: AppendFile,
        say: Callable[[str], None],
        *,
        max_pending_bytes: int = _MAX_PENDING_BYTES,
    ) -> None:
        self._file = file
        self._say = say
        self._max_pending_bytes = max_pending_bytes
        self._changed = threading.Condition()
        self._blocks: deque[bytes] = deque()
        self._pending_bytes = 0
        self._lost = 0
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="access log", daemon=True)
        self._thread.start()

    def put(self, lines: bytes) -> None:
        """Have whole lines written soon; never wait."""
        with self._changed:
            if self._pending_bytes + len(lines) <= self._max_pending_bytes:
                self._blocks.append(lines)
                self._pending_bytes += len(lines)
                self._changed.notify()
                return
        self._lose(lines, "the access log takes no more lines; they are lost until it does")

    def close(self, wait_s: float = _GOODBYE_S) -> None:
        """Write what is left, if somebody takes it."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(wait_s)
        if self._thread.is_alive():
            self._say("nobody has taken the last lines of the access log")
            return  # it goes with the process
        self._report_lost()
        self._file.close()

    def _run(self) -> None:
        while (block := self._next()) is not None:
            for lines in _split(block):
                try:
                    self._file.write(lines)
                except OSError as err:
                    self._lose(lines, f"cannot write the access log: {describe(err)}")
                else:
                    self._report_lost()

    def _next(self) -> bytes | None:
        """Wait for a block; None: there will be no more."""
        with self._changed:
            while not self._blocks:
                if self._is_closed:
                    return None
                self._changed.wait()
            block = self._blocks.popleft()
            self._pending_bytes -= len(block)
            return block

    def _lose(self, lines: bytes, why: str) -> None:
        with self._changed:
            is_first = self._lost == 0
            self._lost += lines.count(b"\n")
        if is_first:
            self._say(why)

    def _report_lost(self) -> None:
        with self._changed:
            lost, self._lost = self._lost, 0
        if lost:
            self._say(f"lines of the access log that have been lost: {lost}")


def _split(block: bytes) -> Iterator[bytes]:
    """Split at ends of lines, so that each piece stays together in a pipe of several workers."""
    start = 0
    while len(block) - start > MAX_TOGETHER_BYTES:
        end = block.rfind(b"\n", start, start + MAX_TOGETHER_BYTES) + 1 or len(block)
        yield block[start:end]
        start = end
    yield block[start:]
