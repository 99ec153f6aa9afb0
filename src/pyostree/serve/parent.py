"""`Parent`: the process above the workers: what it does on signals, and what it says."""

from __future__ import annotations

import itertools
import os
import select
import signal
import socket
from collections.abc import Sequence
from typing import TextIO

from pyostree.errors import OstreeError, describe
from pyostree.fs.dir import Dir
from pyostree.fs.process_memory import memory_of_machine
from pyostree.serve.crew import READY, Crew, Work, WorkerError
from pyostree.serve.listeners import format_address
from pyostree.serve.messages import say
from pyostree.serve.options import ServeOptions
from pyostree.serve.service_manager import ServiceManager
from pyostree.serve.supplies import Supplies
from pyostree.serve.worker import Job, run_worker

_STOP = (signal.SIGTERM, signal.SIGINT)
WATCHED_SIGNALS = (*_STOP, signal.SIGHUP, signal.SIGCHLD)
_GOODBYE_S = 5
_LOOK_S = 2.0
_MIN_WORKER_BYTES = 192 << 20
_MAX_WORKER_BYTES = 1 << 30


class Parent:
    """Keeps workers running; `WATCHED_SIGNALS` must be blocked.

    Args:
        supplies: what the next worker gets; replaced by a reload, and closed at the end.
        listeners: for each worker its own.
    """

    def __init__(
        self,
        options: ServeOptions,
        supplies: Supplies,
        listeners: Sequence[Sequence[socket.socket]],
        manager: ServiceManager,
    ) -> None:
        self._options = options
        self._supplies = supplies
        self._listeners = listeners
        self._manager = manager
        self._crew = Crew("worker", len(listeners), options.grace_s)
        self._announcer = Crew("announcer", int(options.advertise), _GOODBYE_S, is_vital=False)
        self._max_bytes = _memory_limit(options.max_memory_mib, len(listeners))
        self._life, self._life_of_parent = os.pipe()

    def run(self, out: TextIO) -> None:
        """Start, keep running, stop."""
        try:
            self._crew.start(self._work())
            self._start_announcer()
            self._report(out)
            self._manager.ready(self._summary())
            self._supervise()
            self._manager.stopping()
            self._stop()
        finally:
            self._crew.end()
            self._announcer.end()
            self._supplies.close()
            os.close(self._life_of_parent)
            os.close(self._life)

    def _supervise(self) -> None:
        """Return when it is time to stop."""
        terminals = _count_terminals()
        while (number := self._wait()) not in _STOP:
            if number == signal.SIGHUP:
                if _count_terminals() < terminals:
                    return  # the window has been closed
                self._reload()
            large = self._crew.dismiss_large(self._max_bytes)
            for message in (*self._crew.reap(), *self._announcer.reap(), *large):
                say(message)
            self._crew.kill_late()
            self._announcer.kill_late()
            for message in self._crew.refill(self._work()):
                say(message)
            for message in self._announcer.refill(self._announce()):
                say(message)

    def _start_announcer(self) -> None:
        """Announce, or say why not; what could never be announced is an error."""
        try:
            self._announcer.start(self._announce())
        except (WorkerError, OSError) as err:
            say(f"nothing is announced: {describe(err)}")

    def _stop(self) -> None:
        self._announcer.dismiss()
        self._crew.dismiss()
        for listener in itertools.chain(*self._listeners):
            listener.close()  # who comes now is refused, and may go to another mirror
        while len(self._crew) or len(self._announcer):
            if self._wait() in _STOP:
                self._crew.kill()
                self._announcer.kill()
            self._crew.reap()
            self._announcer.reap()
            self._crew.kill_late()
            self._announcer.kill_late()

    def _reload(self) -> None:
        """Let new workers, which open everything anew, take over from the old ones."""
        self._manager.reloading()
        try:
            self._take_over(Supplies(self._options))
        except (OstreeError, OSError) as err:
            say(f"nothing is reloaded: {describe(err)}")
        self._manager.ready(self._summary())

    def _take_over(self, fresh: Supplies) -> None:
        """Let workers with other supplies replace those of now; without them nothing changes."""
        old, self._supplies = self._supplies, fresh
        try:
            self._crew.replace(self._work())
        except BaseException:
            self._supplies = old
            fresh.close()
            raise
        old.close()
        try:
            self._announcer.replace(self._announce())
        except (OstreeError, OSError) as err:
            say(f"what is announced stays as it was: {describe(err)}")

    def _wait(self) -> int | None:
        """Wait for a signal, or until it is time to look after the workers; return the signal."""
        wait_s = min(self._crew.wait_s(), self._announcer.wait_s(), _LOOK_S)
        found = signal.sigtimedwait(WATCHED_SIGNALS, wait_s)
        return None if found is None else found.si_signo

    def _work(self) -> Work:
        supplies = self._supplies
        certificates = None if supplies.certificates is None else supplies.certificates.copies

        def work(number: int, ready: int) -> None:
            os.close(self._life_of_parent)
            own = self._listeners[number]
            for listener in itertools.chain(*self._listeners):
                if listener not in own:
                    listener.close()
            run_worker(
                Job(
                    sites=supplies.sites,
                    listeners=own,
                    certificates=certificates,
                    access_log=self._options.access_log,
                    idle_s=self._options.idle_s,
                    grace_s=self._options.grace_s,
                    life=self._life,
                    ready=ready,
                )
            )

        return work

    # -- announcing ----------------------------------------------------------------------

    def _announce(self) -> Work:
        """Return the work of the process that announces the repositories."""
        inet = [one for one in self._listeners[0] if one.family != socket.AF_UNIX]
        hosts = [one.getsockname()[0] for one in inet]
        port = _port(inet[0]) if inet else 0

        def work(_: int, ready: int) -> None:
            from pyostree.serve.advertise import Advertiser

            os.close(self._life_of_parent)
            told, tell = os.pipe()
            for listener in itertools.chain(*self._listeners):
                listener.close()
            signal.signal(signal.SIGTERM, lambda *_: os.write(tell, b"\0"))
            with Advertiser(hosts, port, self._options.places, say=say):
                os.write(ready, READY)
                select.select((told, self._life), (), ())

        return work

    # -- what is said --------------------------------------------------------------------

    def _report(self, out: TextIO) -> None:
        options = self._options
        if options.port_file is not None:
            _publish_port(options.port_file, _port(self._listeners[0][0]), out)
        if options.quiet:
            return
        scheme = "http" if options.certificates is None else "https"
        sites = self._supplies.sites
        for place in options.places:
            for listener in self._listeners[0]:
                base = format_address(listener)
                url = base if base.startswith("unix:") else f"{scheme}://{base}/{place.name}"
                out.write(f"Serving {sites.repo(place).path} at {url}\n")
            if not sites.repo(place).has_summary():
                out.write(
                    "  It has no summary, so clients cannot list its refs: "
                    "`ostree summary -u` makes one\n"
                )
        out.flush()

    def _summary(self) -> str:
        count = len(self._options.places)
        where = ", ".join(format_address(listener) for listener in self._listeners[0])
        return f"Serving {count} repositor{'y' if count == 1 else 'ies'} at {where}"


def _count_terminals() -> int:
    return sum(os.isatty(fd) for fd in range(3))


def _memory_limit(wanted_mib: int | None, workers: int) -> int:
    if wanted_mib is not None:
        return wanted_mib << 20
    fair = memory_of_machine() // 4 // workers
    return max(min(fair, _MAX_WORKER_BYTES), _MIN_WORKER_BYTES)


def _port(listener: socket.socket) -> int:
    return 0 if listener.family == socket.AF_UNIX else int(listener.getsockname()[1])


def _publish_port(path: str, port: int, out: TextIO) -> None:
    if path == "-":
        out.write(f"{port}\n")
        out.flush()
        return
    parent, name = Dir.above(os.path.abspath(path))
    with parent:
        parent.replace_file(name, f"{port}\n".encode(), sync=False)
