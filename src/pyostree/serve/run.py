"""`run_server`: the process above the workers, from the first check to the last worker's end."""

from __future__ import annotations

import itertools
import os
import select
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from typing import TextIO

from pyostree.errors import ConflictError, OstreeError, UnsupportedError, describe
from pyostree.fs.dir import Dir
from pyostree.fs.limits import raise_open_files_limit
from pyostree.fs.process_memory import memory_of_machine
from pyostree.serve.crew import READY, Crew, Work
from pyostree.serve.listeners import format_address, inherited_listeners, open_listeners
from pyostree.serve.options import ServeOptions
from pyostree.serve.service_manager import ServiceManager
from pyostree.serve.sites import Sites
from pyostree.serve.worker import Job, open_access_log, run_worker

_STOP = (signal.SIGTERM, signal.SIGINT)
_WATCHED = (*_STOP, signal.SIGHUP, signal.SIGCHLD)
_MAX_WORKERS = 64
_GOODBYE_S = 5
_LOOK_S = 2.0
_MIN_WORKER_BYTES = 192 << 20
_MAX_WORKER_BYTES = 1 << 30


class MissingEngineError(UnsupportedError):
    """The HTTP engine is not installed."""

    hint = "pip install 'pyostree[serve]'"


class CertificateError(OstreeError):
    """A certificate cannot be used."""

    hint = "both files are PEM; the first has the server's certificate, then those above it"


def run_server(options: ServeOptions, out: TextIO) -> None:
    """Serve until SIGTERM or SIGINT; return when running transfers are finished.

    SIGHUP opens repositories, certificates and the access log anew, and loses no connection. A
    second SIGTERM or SIGINT does not wait for transfers.

    Raises:
        OstreeError, OSError: the server could not be set up, or its workers do not stay.
    """
    if find_spec("granian") is None:
        raise MissingEngineError("Serving needs the package granian, which is not installed")
    _check(options)
    raise_open_files_limit()
    manager = ServiceManager()
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    try:
        with ExitStack() as stack:
            sites = stack.enter_context(Sites(options.places, numbered=options.advertise))
            count = _count_workers(options.workers)
            if inherited := inherited_listeners():
                listeners = [inherited] * count
            else:
                listeners = open_listeners(options.host, options.port, count)
            for listener in itertools.chain(*listeners):
                stack.enter_context(listener)
            _Parent(options, sites, listeners, manager).run(out)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


class _Parent:
    """The parent's state: what the next worker will get."""

    def __init__(
        self,
        options: ServeOptions,
        sites: Sites,
        listeners: Sequence[Sequence[socket.socket]],
        manager: ServiceManager,
    ) -> None:
        self._options = options
        self._sites = sites
        self._listeners = listeners
        self._manager = manager
        self._crew = Crew("worker", len(listeners), options.grace_s)
        self._announcer = Crew("announcer", int(options.advertise), _GOODBYE_S)
        self._max_bytes = _memory_limit(options.max_memory_mib, len(listeners))
        self._life, self._life_of_parent = os.pipe()

    def run(self, out: TextIO) -> None:
        """Start, keep running, stop."""
        try:
            self._crew.start(self._work())
            self._announcer.start(self._announce())
            self._report(out)
            self._manager.ready(self._summary())
            self._supervise()
            self._manager.stopping()
            self._stop()
        finally:
            for crew in (self._crew, self._announcer):
                crew.kill()
                with suppress(OstreeError):
                    while len(crew):
                        signal.sigtimedwait((signal.SIGCHLD,), 1)
                        crew.reap()
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
                _say(message)
            self._crew.kill_late()
            self._refill()

    def _refill(self) -> None:
        """Replace who has ended; while others serve, a failure is only reported."""
        try:
            self._crew.start(self._work())
            self._announcer.start(self._announce())
        except (OstreeError, OSError) as err:
            if not len(self._crew):
                raise
            _say(f"nobody replaces it: {describe(err)}")

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
            _check(self._options)
            fresh = Sites(self._options.places, numbered=self._options.advertise)
        except (OstreeError, OSError) as err:
            _say(f"nothing is reloaded: {describe(err)}")
        else:
            self._sites.close()
            self._sites = fresh
            self._crew.dismiss()
            self._crew.start(self._work())
            self._announcer.dismiss()
            self._announcer.start(self._announce())
        self._manager.ready(self._summary())

    def _wait(self) -> int | None:
        """Wait for a signal, or until it is time to look after the workers; return the signal."""
        wait_s = min(self._crew.wait_s(), self._announcer.wait_s(), _LOOK_S)
        found = signal.sigtimedwait(_WATCHED, wait_s)
        return None if found is None else found.si_signo

    def _work(self) -> Work:
        def work(number: int, ready: int) -> None:
            os.close(self._life_of_parent)
            own = self._listeners[number]
            for listener in itertools.chain(*self._listeners):
                if listener not in own:
                    listener.close()
            run_worker(
                Job(
                    sites=self._sites,
                    listeners=own,
                    certificates=self._options.certificates,
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
            with Advertiser(hosts, port, self._options.places, say=_say):
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
        for place in options.places:
            for listener in self._listeners[0]:
                base = format_address(listener)
                url = base if base.startswith("unix:") else f"{scheme}://{base}/{place.name}"
                out.write(f"Serving {self._sites.repo(place).path} at {url}\n")
            if not self._sites.repo(place).has_summary():
                out.write(
                    "  It has no summary, so clients cannot list its refs: "
                    "`ostree summary -u` makes one\n"
                )
        out.flush()

    def _summary(self) -> str:
        count = len(self._options.places)
        where = ", ".join(format_address(listener) for listener in self._listeners[0])
        return f"Serving {count} repositor{'y' if count == 1 else 'ies'} at {where}"


def _check(options: ServeOptions) -> None:
    """Raise what a worker would only find when it starts."""
    if options.port_file == "-" and options.access_log == "-":
        raise ConflictError("Cannot use --port-file=- and --access-log=- at the same time")
    if options.advertise and options.certificates is not None:
        raise ConflictError("Cannot announce a server with TLS: peers speak plain HTTP")
    if options.certificates is not None:
        chain, key = options.certificates
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, _no_password)
        except ssl.SSLError as err:
            raise CertificateError(f"Cannot use certificate {chain} with key {key}: {err}") from err
        except OSError as err:
            raise CertificateError(f"Cannot read certificate {chain} or key {key}: {err}") from err
    if (log := open_access_log(options.access_log)) is not None:
        log.close()


def _count_terminals() -> int:
    return sum(os.isatty(fd) for fd in range(3))


def _no_password() -> str:
    # Nobody is there to type one when a worker is replaced.
    raise CertificateError("The key is encrypted")


def _count_workers(wanted: int | None) -> int:
    present = len(os.sched_getaffinity(0))
    return min(present if wanted is None else wanted, _MAX_WORKERS)


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


def _say(message: str) -> None:
    sys.stderr.write(f"ostree serve: {message}\n")
    sys.stderr.flush()
