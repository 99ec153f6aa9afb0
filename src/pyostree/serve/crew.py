"""`Crew`: processes of a server, started, watched and replaced."""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress

from pyostree.errors import OstreeError, describe
from pyostree.fs.process_memory import own_memory_of
from pyostree.serve.messages import say

_READY_TIMEOUT_S = 30
_YOUNG_S = 5.0  # a worker that ends earlier has most likely never served
_MAX_YOUNG_ENDS = 5
_MAX_PAUSE_S = 120
_NEVER = float("inf")
_MAX_ERROR_BYTES = 64 << 10
READY = b"\0"

# Gets a number from 0 on, which no other member of now has, and the descriptor to write `READY` to,
# which it keeps open.
Work = Callable[[int, int], None]


class WorkerError(OstreeError):
    """Worker processes cannot be kept running."""


class _Member:
    """One process."""

    __slots__ = ("born", "is_leaving", "kill_at", "number", "pid")

    def __init__(self, pid: int, number: int) -> None:
        self.pid = pid
        self.number = number
        self.born = time.monotonic()
        self.is_leaving = False
        self.kill_at = _NEVER


class Crew:
    """Processes that all do the same work; forked, so the parent must have no threads.

    Args:
        name: what one is called in messages.
        size: how many there are to be.
        grace_s: how long one may take to end after it has been told to.
        is_vital: without any the server is to end; else it is only tried again, ever more rarely.
    """

    def __init__(self, name: str, size: int, grace_s: float, *, is_vital: bool = True) -> None:
        self._name = name
        self._size = size
        self._grace_s = grace_s
        self._is_vital = is_vital
        self._members: dict[int, _Member] = {}
        self._young_ends = 0
        self._failed_starts = 0
        self._not_before = 0.0

    def __len__(self) -> int:
        return len(self._members)

    def start(self, work: Work) -> None:
        """Start processes until there are enough that are not on their way out.

        Raises:
            OstreeError, OSError: one did not get ready; the others go on.
        """
        present = {member.number for member in self._present()}
        _, error = self._add(work, [one for one in range(self._size) if one not in present])
        if error is not None:
            raise error

    def replace(self, work: Work) -> None:
        """Start as many as there are to be; once all are ready, tell those before to end.

        Raises:
            OstreeError, OSError: one did not get ready; those before go on, and nobody else.
        """
        old = self._present()
        new, error = self._add(work, range(self._size))
        if error is not None:
            for member in new:
                self._discard(member)
            raise error
        for member in old:
            self._dismiss(member)

    def refill(self, work: Work) -> list[str]:
        """Replace those that have ended, unless that has just failed; return what is to be said.

        Raises:
            OstreeError, OSError: the crew is vital, and nobody is left.
        """
        if len(self._present()) == self._size or time.monotonic() < self._not_before:
            return []
        try:
            self.start(work)
        except (OstreeError, OSError) as err:
            if self._is_vital and not self._present():
                raise
            return [f"no {self._name} replaces it: {describe(err)}"]
        return []

    def dismiss(self) -> None:
        """Tell all that are there to end when their running transfers have."""
        for member in self._present():
            self._dismiss(member)

    def dismiss_large(self, max_bytes: int) -> list[str]:
        """Tell those to end that take more memory; return what is to be said about them."""
        messages = []
        for member in self._present():
            with suppress(OSError, IndexError):  # it has just ended
                size = own_memory_of(member.pid)
                if size > max_bytes:
                    self._dismiss(member)
                    messages.append(
                        f"{self._name} {member.pid} takes {size >> 20} MiB of memory; "
                        "another one replaces it"
                    )
        return messages

    def kill_late(self) -> None:
        """Kill those whose time is over."""
        now = time.monotonic()
        for member in self._members.values():
            if member.kill_at <= now:
                member.kill_at = _NEVER
                _signal(member.pid, signal.SIGKILL)

    def kill(self) -> None:
        """Kill all."""
        for member in self._members.values():
            _signal(member.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill all, and wait until they are gone."""
        self.kill()
        for pid in self._members:
            os.waitpid(pid, 0)
        self._members.clear()

    def wait_s(self) -> float:
        """Return for how long nothing is to be done here; infinite: until a process ends."""
        nearest = min((member.kill_at for member in self._members.values()), default=_NEVER)
        return max(nearest - time.monotonic(), 0.0)

    def reap(self) -> list[str]:
        """Take note of processes that have ended; return what is to be said about them.

        Raises:
            WorkerError: they end again and again, and the crew is vital.
        """
        messages = []
        for member in list(self._members.values()):
            pid, status = os.waitpid(member.pid, os.WNOHANG)
            if pid == 0:
                continue
            del self._members[member.pid]
            if member.is_leaving:
                continue
            messages.append(f"{self._name} {pid} {_format_end(status)}; another one replaces it")
            is_young = time.monotonic() - member.born < _YOUNG_S
            self._young_ends = self._young_ends + 1 if is_young else 0
            if is_young and not self._is_vital:
                self._pause(self._young_ends)
        if self._is_vital and self._young_ends > _MAX_YOUNG_ENDS:
            raise WorkerError(f"Each {self._name} process ends soon after its start")
        return messages

    def _present(self) -> list[_Member]:
        return [member for member in self._members.values() if not member.is_leaving]

    def _add(
        self, work: Work, numbers: Iterable[int]
    ) -> tuple[list[_Member], OstreeError | OSError | None]:
        """Start processes; return those that got ready, and what kept one from it."""
        links: list[tuple[_Member, int]] = []
        ready: list[_Member] = []
        error: OstreeError | OSError | None = None
        try:
            links.extend(self._fork(work, number) for number in numbers)
        except OSError as err:  # those that could be started may do
            error = err
        for member, link in links:
            try:
                self._wait_until_ready(member, link)
                ready.append(member)
            except (OstreeError, OSError) as err:
                self._discard(member)
                error = error or err
            finally:
                os.close(link)
        self._failed_starts = 0 if error is None else self._failed_starts + 1
        if error is not None:
            self._pause(self._failed_starts)
        return ready, error

    def _pause(self, failures: int) -> None:
        self._not_before = time.monotonic() + min(2.0 ** (failures - 1), _MAX_PAUSE_S)

    def _discard(self, member: _Member) -> None:
        member.is_leaving = True
        _signal(member.pid, signal.SIGKILL)

    def _dismiss(self, member: _Member) -> None:
        member.is_leaving = True
        member.kill_at = time.monotonic() + self._grace_s
        _signal(member.pid, signal.SIGTERM)

    def _fork(self, work: Work, number: int) -> tuple[_Member, int]:
        """Start one process; return it with the descriptor that tells when it is ready."""
        link, ready = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(link)
            _work(work, number, ready)
        os.close(ready)
        member = self._members[pid] = _Member(pid, number)
        return member, link

    def _wait_until_ready(self, member: _Member, link: int) -> None:
        poll = select.poll()
        poll.register(link, select.POLLIN)
        said = os.read(link, _MAX_ERROR_BYTES) if poll.poll(_READY_TIMEOUT_S * 1000) else b""
        if said != READY:
            # What keeps the process from starting; it is a copy of this one.
            error = pickle.loads(said) if said else None
            raise error or WorkerError(f"{self._name} process {member.pid} did not start")


def _work(work: Work, number: int, ready: int) -> None:
    """Work in a child process; never returns into the parent's code."""
    status = 1
    try:
        # Ctrl-C reaches the whole group; the parent decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        work(number, ready)
        status = 0
    except (OstreeError, OSError) as err:
        _report(err, ready)
    except BaseException:
        traceback.print_exc()  # a defect of ours; the parent only sees that it ended
        raise
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)


def _report(err: OstreeError | OSError, ready: int) -> None:
    """Tell the parent why the work cannot start; later than that, tell whoever reads the log."""
    try:
        os.write(ready, pickle.dumps(err))
    except OSError:
        say(describe(err))


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # not reaped yet, so the number is still its own
        os.kill(pid, number)


def _format_end(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with status {code}"
