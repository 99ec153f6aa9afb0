"""A worker: a process that answers requests until its parent, or a signal, tells it to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from typing import NamedTuple

from pyostree.fs.append_file import AppendFile
from pyostree.serve.access_log import STANDARD_OUTPUT, AccessLog
from pyostree.serve.application import Application
from pyostree.serve.crew import READY
from pyostree.serve.idle import close_idle
from pyostree.serve.log_writer import LogWriter
from pyostree.serve.messages import say
from pyostree.serve.options import Certificates
from pyostree.serve.sites import Sites

_LOG_FLUSH_S = 0.25
_MAX_CHECK_S = 5.0
_ORPHANED_S = 5  # a parent that lives kills a worker when its grace period is over
_STDOUT = 1


class Job(NamedTuple):
    """What a worker gets from its parent.

    Attributes:
        life: the end of a pipe, which closes when the parent is gone.
        ready: gets a byte when requests are being answered.
    """

    sites: Sites
    listeners: Sequence[socket.socket]
    certificates: Certificates | None
    access_log: str | None
    idle_s: int
    grace_s: int
    life: int
    ready: int


def run_worker(job: Job) -> None:
    """Serve; return when all running transfers have ended after the stop."""
    asyncio.run(_run(job))


def open_access_log(path: str | None) -> AppendFile | None:
    """Open the access log, which all workers append to."""
    if path is None:
        return None
    return AppendFile.duplicate(_STDOUT) if path == STANDARD_OUTPUT else AppendFile.open(path)


async def _run(job: Job) -> None:
    from pyostree.serve.engine import Engine  # takes a while to load, and only workers need it

    file = open_access_log(job.access_log)
    writer = None if file is None else LogWriter(file, say)
    application = Application(job.sites, None if writer is None else AccessLog(writer.put))
    engines = [
        Engine(one, application, job.certificates, idle_s=job.idle_s) for one in job.listeners
    ]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(job.life)
        signal.alarm(job.grace_s + _ORPHANED_S)
        for engine in engines:
            engine.stop()
        for listener in job.listeners:
            listener.close()

    loop.add_reader(job.life, stop)
    loop.add_signal_handler(signal.SIGTERM, stop)
    helpers = [asyncio.create_task(_end_idle(job.idle_s))]
    if writer is not None:
        helpers.append(asyncio.create_task(_flush(application)))
    serving = [asyncio.create_task(engine.serve()) for engine in engines]
    for engine in engines:
        await engine.is_up()
    os.write(job.ready, READY)
    await asyncio.gather(*serving)
    for helper in helpers:
        helper.cancel()
    application.flush_log()
    if writer is not None:
        writer.close()


async def _flush(application: Application) -> None:
    while True:
        await asyncio.sleep(_LOG_FLUSH_S)
        application.flush_log()


async def _end_idle(idle_s: int) -> None:
    while True:
        await asyncio.sleep(min(_MAX_CHECK_S, idle_s / 4))
        await asyncio.to_thread(close_idle, idle_s)
