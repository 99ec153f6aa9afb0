"""Running the server: log, port file, going to the background, ending in time."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, TextIO

from pyostree.errors import ConflictError
from pyostree.fs.dir import Dir
from pyostree.fs.log import create_log
from pyostree.remote.httpd.faults import FaultSettings
from pyostree.remote.httpd.server import HttpServer, Log

_PR_SET_PDEATHSIG = 1


class HttpdOptions(NamedTuple):
    """How to run.

    Attributes:
        daemonize: return when a child process is listening.
        autoexit: end when the directory is deleted or renamed.
        port_file: gets the port's number; ``-`` is standard output.
        log_file: must not exist; ``-`` is standard output.
    """

    root: str = "."
    port: int = 0
    daemonize: bool = False
    autoexit: bool = False
    port_file: str | None = None
    log_file: str | None = None
    faults: FaultSettings = FaultSettings()


def run_httpd(options: HttpdOptions, out: TextIO) -> None:
    """Serve until killed, or (`HttpdOptions.daemonize`) until a child does.

    Raises:
        OstreeError, OSError: the server could not be set up.
    """
    if options.daemonize and options.log_file == "-":
        raise ConflictError("Cannot use --log-file=- and --daemonize at the same time")
    with Dir.at(options.root) as root:
        absolute = os.path.abspath(options.root)
        log = _make_log(options.log_file, out)
        server = HttpServer(root, log, port=options.port, faults=options.faults)
        _publish_port(options.port_file, server.port, out)
        log(f"serving at root {options.root}")
        if options.daemonize and not _become_daemon(out):
            return
        if not options.daemonize:
            _die_with_parent()
        is_there = _root_watch(root, absolute) if options.autoexit else _always
        server.serve(is_there)
        log("root directory removed, exiting")
    if options.daemonize:
        os._exit(0)


def _become_daemon(out: TextIO) -> bool:
    """Go on in a child process; return whether this is the child.

    All that can fail has been done before, and the server is listening already.
    """
    out.flush()
    sys.stderr.flush()
    if os.fork():
        return False
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.close(null)
    return True


def _always() -> bool:
    return True


def _publish_port(path: str | None, port: int, out: TextIO) -> None:
    if path == "-":
        out.write(f"{port}\n")
        out.flush()
    elif path is not None:
        parent, _, name = os.path.abspath(path).rpartition("/")
        with Dir.at(parent or "/") as directory:
            directory.replace_file(name, f"{port}\n".encode(), sync=False)


def _make_log(path: str | None, out: TextIO) -> Log:
    if path is None:
        return lambda _: None
    lock = threading.Lock()
    write = out.write if path == "-" else create_log(os.path.abspath(path))

    def log(text: str) -> None:
        now = datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f")
        shown = text.encode("utf-8", "replace").decode()
        with lock:
            write(f"{now} - {shown}\n")
            if path == "-":
                out.flush()

    return log


def _root_watch(root: Dir, path: str) -> Callable[[], bool]:
    """Return what tells whether the directory is still at `path`."""
    parent, _, name = path.rpartition("/")
    status = root.stat_self()

    def is_there() -> bool:
        try:
            with Dir.at(parent or "/") as directory:
                found = directory.try_stat(name or ".", follow=True)
        except OSError:
            return False
        return found is not None and (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)

    return is_there


def _die_with_parent() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
