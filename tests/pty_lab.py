"""Commands on a pseudo-terminal, and what a person sees there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_CSI = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b([78])")


class Session(NamedTuple):
    """What a command did on a terminal.

    Attributes:
        raw: all bytes that it wrote to the terminal.
        err: what it wrote to standard error, which is no terminal unless asked for.
    """

    raw: bytes
    err: str
    code: int

    @property
    def lines(self) -> list[str]:
        """What is on the screen in the end."""
        return screen(self.raw.decode())


def resize(terminal: int, columns: int) -> None:
    """Give a terminal another width."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def on_terminal(
    *words: str | Path,
    columns: int = 80,
    listen: Callable[[int, bytes], None] | None = None,
    **environment: str,
) -> Session:
    """Run a command with its standard output on a terminal.

    Args:
        listen: called with the terminal and all output so far, whenever there is more.
    """
    terminal, inner = pty.openpty()
    resize(terminal, columns)
    base = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm"}
    process = subprocess.Popen(
        list(map(str, words)),
        stdin=subprocess.DEVNULL,
        stdout=inner,
        stderr=subprocess.PIPE,
        env=base | environment,
    )
    os.close(inner)
    raw = b""
    try:
        while chunk := _read(terminal):
            raw += chunk
            if listen is not None:
                listen(terminal, raw)
        _, err = process.communicate()
    finally:
        os.close(terminal)
        if process.poll() is None:
            process.kill()
            process.communicate()
    return Session(raw, err.decode(), process.returncode)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the other side is closed
        return b""


def screen(text: str) -> list[str]:
    """Return the lines that a terminal of any width shows after `text` came."""
    lines, column, row, saved = [""], 0, 0, (0, 0)
    position = 0
    while position < len(text):
        if match := _CSI.match(text, position):
            position = match.end()
            if match[3] == "7":
                saved = (row, column)
            elif match[3] == "8":
                row, column = saved
            elif match[2] == "K":
                lines[row] = lines[row][:column]
            continue
        char = text[position]
        position += 1
        if char == "\r":
            column = 0
        elif char == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + char + line[column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]
