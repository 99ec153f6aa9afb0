"""`run_server`: repositories and sockets are opened, then served until told to stop."""

from __future__ import annotations

import itertools
import os
import signal
from contextlib import ExitStack
from typing import TextIO

from pyostree.fs.limits import raise_open_files_limit
from pyostree.serve.listeners import inherited_listeners, open_listeners
from pyostree.serve.options import ServeOptions
from pyostree.serve.parent import WATCHED_SIGNALS, Parent
from pyostree.serve.service_manager import ServiceManager
from pyostree.serve.supplies import Supplies

_MAX_WORKERS = 64


def run_server(options: ServeOptions, out: TextIO) -> None:
    """Serve until SIGTERM or SIGINT; return when running transfers are finished.

    SIGHUP opens repositories, certificates and the access log anew, and refuses no connection. A
    second SIGTERM or SIGINT does not wait for transfers.

    Raises:
        OstreeError, OSError: the server could not be set up, or its workers do not stay.
    """
    supplies = Supplies(options)
    raise_open_files_limit()
    manager = ServiceManager()
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED_SIGNALS)
    try:
        with ExitStack() as stack:
            stack.enter_context(supplies)
            count = _count_workers(options.workers)
            if inherited := inherited_listeners():
                listeners = [inherited] * count
            else:
                listeners = open_listeners(options.host, options.port, count)
            for listener in itertools.chain(*listeners):
                stack.enter_context(listener)
            Parent(options, supplies, listeners, manager).run(out)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _count_workers(wanted: int | None) -> int:
    present = len(os.sched_getaffinity(0))
    return min(present if wanted is None else wanted, _MAX_WORKERS)
