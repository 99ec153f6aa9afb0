"""Work shared with forked helper processes, for what the interpreter lock makes slow in threads.

Linking, copying and removing tens of thousands of small files is a few microseconds of kernel time
and as much of interpreter time each: threads would pass the lock to and fro and gain nothing.
A helper is a copy of this process as it was when the first items were done; it gets items with open
descriptors through a socket and sends back results. It ends with the socket, so that none outlives
a killed parent by more than one item.
"""

from __future__ import annotations

import errno
import os
import pickle
import select
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, NamedTuple, NoReturn, Self, TypeVar

from pyostree.errors import OstreeError, describe
from pyostree.repo.parallel import worker_count

A = TypeVar("A")
R = TypeVar("R")

_MAX_HELPERS = 7
# One item to work on, others to begin with at once while the parent is busy itself.
_ITEMS_PER_HELPER = 3
_MESSAGE_BYTES = 1 << 20
_MAX_DESCRIPTORS = 250  # the kernel's limit for one message is 253
_TOO_MUCH = (errno.EMSGSIZE, errno.ENOBUFS, errno.ETOOMANYREFS)
_HELPER_ENDED = "A helper process ended unexpectedly"
# Forking costs milliseconds: small jobs are over by then.
_ITEMS_BEFORE_FORK = 6


class Sharing(NamedTuple, Generic[A, R]):
    """How one kind of item is worked on, here or elsewhere.

    `pack` turns an item into what can be pickled and descriptors to send along; `work_packed`
    does in a helper what `work` does here. What a helper changes in memory is lost.
    """

    work: Callable[[A], R]
    pack: Callable[[A], tuple[object, Sequence[int]]]
    work_packed: Callable[[Any, list[int]], R]


def may_fork() -> bool:
    """Tell whether helpers are worth it and safe: a copy of a process has one thread only."""
    return worker_count() > 1 and threading.active_count() == 1


class SharedWork(Generic[A, R]):
    """A job of many items; the calling process works too, so that it is never idle.

    Without helpers (see `may_fork`) it works alone. Leaving the ``with`` block waits for what is
    in progress.
    """

    def __init__(self, sharing: Sharing[A, R], done: Callable[[A, R], None]) -> None:
        """Prepare; nothing is forked for the first few items.

        Args:
            done: called here with every item and its result, in the order in which they finish.
        """
        self._sharing = sharing
        self._done = done
        self._poll = select.poll()
        self._helpers: dict[int, _Helper[A]] = {}
        self._items_alone = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for helper in self._helpers.values():
            helper.link.close()
        for helper in self._helpers.values():
            with suppress(ChildProcessError):  # a caller that ignores SIGCHLD
                os.waitpid(helper.pid, 0)
        self._helpers.clear()

    def submit(self, item: A) -> None:
        """Work on an item, or let a helper do so; raises the first error of either."""
        if self._helpers:
            self._collect(wait=False)
        elif self._items_alone >= _ITEMS_BEFORE_FORK and may_fork():
            for _ in range(min(worker_count() - 1, _MAX_HELPERS)):
                self._start()
        if not self._offer(item):
            self._items_alone += 1
            self._done(item, self._sharing.work(item))

    def finish(self) -> None:
        """Wait until all items are done."""
        self._collect(wait=True)

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MESSAGE_BYTES)
        pid = os.fork()
        if pid == 0:
            others = [helper.link for helper in self._helpers.values()]
            _serve(self._sharing, theirs, [ours, *others])
        theirs.close()
        self._helpers[ours.fileno()] = _Helper(pid, ours)
        self._poll.register(ours, select.POLLIN)

    def _offer(self, item: A) -> bool:
        """Give an item to a helper that has time for it; False when there is none."""
        helpers = self._helpers.values()
        helper = min(helpers, key=lambda helper: len(helper.items), default=None)
        if helper is None or len(helper.items) >= _ITEMS_PER_HELPER:
            return False
        packed, descriptors = self._sharing.pack(item)
        data = pickle.dumps(packed, pickle.HIGHEST_PROTOCOL)
        if len(descriptors) > _MAX_DESCRIPTORS or len(data) > _MESSAGE_BYTES:
            return False
        try:
            socket.send_fds(helper.link, [data], descriptors)
        except OSError as err:
            if err.errno in _TOO_MUCH:
                return False
            if isinstance(err, ConnectionError):
                raise OstreeError(_HELPER_ENDED) from None
            raise
        helper.items.append(item)
        return True

    def _collect(self, *, wait: bool) -> None:
        while any(helper.items for helper in self._helpers.values()):
            for fd, _ in self._poll.poll(None if wait else 0):
                self._receive(self._helpers[fd])
            if not wait:
                return

    def _receive(self, helper: _Helper[A]) -> None:
        data = b""
        with suppress(ConnectionError):
            data = helper.link.recv(_MESSAGE_BYTES)
        if not data:
            raise OstreeError(_HELPER_ENDED)
        result, error = pickle.loads(data)  # from our own copy, over a private socket
        item = helper.items.pop(0)
        if error is not None:
            raise error
        self._done(item, result)


class _Helper(Generic[A]):
    """One forked process, as its parent sees it."""

    def __init__(self, pid: int, link: socket.socket) -> None:
        self.pid = pid
        self.link = link
        self.items: list[A] = []


def _serve(sharing: Sharing[A, R], link: socket.socket, others: list[socket.socket]) -> NoReturn:
    """Work until the parent closes its end; never returns into the parent's code."""
    status = 1
    try:
        # Ctrl-C reaches the whole group; the parent decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for other in others:
            other.close()
        while True:
            data, descriptors, _, _ = socket.recv_fds(link, _MESSAGE_BYTES, _MAX_DESCRIPTORS)
            if not data:
                break
            link.send(_answer(sharing, data, descriptors))
        status = 0
    except (BrokenPipeError, ConnectionResetError):
        status = 0  # the parent has gone, and with it whoever wants the result
    except BaseException:
        traceback.print_exc()  # a defect of ours, which the parent can only say that there is one
        raise
    finally:
        os._exit(status)


def _answer(sharing: Sharing[A, R], data: bytes, descriptors: list[int]) -> bytes:
    try:
        packed = pickle.loads(data)  # from our own parent, over a private socket
        result = sharing.work_packed(packed, descriptors)
    except (OstreeError, OSError) as err:
        return _pack_error(err)
    return pickle.dumps((result, None), pickle.HIGHEST_PROTOCOL)


def _pack_error(err: OstreeError | OSError) -> bytes:
    try:
        return pickle.dumps((None, err), pickle.HIGHEST_PROTOCOL)
    except (TypeError, AttributeError, pickle.PicklingError):
        return pickle.dumps((None, OstreeError(describe(err))), pickle.HIGHEST_PROTOCOL)
