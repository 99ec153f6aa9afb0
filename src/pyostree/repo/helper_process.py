"""`HelperProcess`: a copy of this process that works on items sent to it.

It is forked when it is needed, gets items with open descriptors through a socket and sends back
results. It is killed with its parent: what it writes then could reach a directory that another
process has taken over. Other sockets it closes, so that connections end when the parent ends them.
"""

from __future__ import annotations

import errno
import os
import pickle
import select
import signal
import socket
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Generic, NoReturn, TypeVar

from pyostree.errors import OstreeError, describe
from pyostree.fs.process import close_other_sockets, die_with_parent
from pyostree.repo.processes import Sharing

A = TypeVar("A")
R = TypeVar("R")

_MESSAGE_BYTES = 1 << 20
_MAX_DESCRIPTORS = 250  # the kernel's limit for one message is 253
_HELPER_ENDED = "A helper process ended unexpectedly"
_DO_IT_YOURSELF = pickle.dumps(None)
_TOO_MUCH = (errno.EMSGSIZE, errno.ENOBUFS, errno.ETOOMANYREFS)


class HelperProcess(Generic[A, R]):
    """One helper, as its parent sees it.

    Attributes:
        items: sent and not yet answered, in order.
    """

    def __init__(self, sharing: Sharing[A, R]) -> None:
        """Fork it."""
        self.items: list[A] = []
        self._sharing = sharing
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._link, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MESSAGE_BYTES)
        parent = os.getpid()
        try:
            self._pid = os.fork()
        except OSError:
            self._link.close()
            theirs.close()
            raise
        if self._pid == 0:
            _serve(sharing, theirs, parent)
        theirs.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable with a result."""
        return self._link.fileno()

    def send(self, item: A) -> bool:
        """Give an item to the helper; False when it is not for one, or too large.

        Raises:
            OstreeError: the helper is gone.
        """
        parcel = self._sharing.pack(item)
        if parcel is None:
            return False
        packed, descriptors = parcel
        data = pickle.dumps(packed, pickle.HIGHEST_PROTOCOL)
        if len(descriptors) > _MAX_DESCRIPTORS or len(data) > _MESSAGE_BYTES:
            return False
        try:
            socket.send_fds(self._link, [data], descriptors)
        except ConnectionError:
            raise OstreeError(_HELPER_ENDED) from None
        except OSError as err:
            if err.errno in _TOO_MUCH:
                return False
            raise
        self.items.append(item)
        return True

    def receive(self) -> tuple[A, R]:
        """Wait for an item to be done and return it with its result.

        Raises:
            OstreeError, OSError: what working on it raised, or the helper is gone.
        """
        data = b""
        with suppress(ConnectionError):
            data = self._link.recv(_MESSAGE_BYTES)
        if not data:
            self.drop_items()
            raise OstreeError(_HELPER_ENDED)
        answer = pickle.loads(data)  # from our own copy, over a private socket
        item = self.items.pop(0)
        if answer is None:
            return item, self._sharing.work_here(item)
        result, error = answer
        if error is not None:
            self._sharing.drop(item)
            raise error
        return item, result

    def drop_items(self) -> None:
        """Let go of what is not done and will not be."""
        while self.items:
            self._sharing.drop(self.items.pop())

    def close(self) -> None:
        """Let the helper end when it is done with what it has."""
        self._link.close()

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> None:
        """Wait until it has ended."""
        with suppress(ChildProcessError):  # a caller that ignores SIGCHLD
            os.waitpid(self._pid, 0)


def wait_for(
    helpers: Sequence[HelperProcess[A, R]], *, timeout_ms: int | None
) -> Iterator[HelperProcess[A, R]]:
    """Yield the helpers that have a result; wait for one until the time is over, None: forever."""
    poll = select.poll()
    for helper in helpers:
        poll.register(helper, select.POLLIN)
    ready = {fd for fd, _ in poll.poll(timeout_ms)}
    yield from (helper for helper in helpers if helper.fileno() in ready)


def _serve(sharing: Sharing[A, R], link: socket.socket, parent: int) -> NoReturn:
    """Work until the parent closes its end; never returns into the parent's code."""
    status = 1
    try:
        # Ctrl-C reaches the whole group; the parent decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        die_with_parent(parent)
        close_other_sockets(link)
        while True:
            data, descriptors, flags, _ = socket.recv_fds(link, _MESSAGE_BYTES, _MAX_DESCRIPTORS)
            if not data:
                break
            if flags & socket.MSG_CTRUNC:  # at the limit of open files some were dropped
                for descriptor in descriptors:
                    os.close(descriptor)
                link.send(_DO_IT_YOURSELF)
            else:
                _send_answer(link, _answer(sharing, data, descriptors))
        status = 0
    except (BrokenPipeError, ConnectionResetError):
        status = 0  # the parent has gone, and with it whoever wants the result
    except BaseException:
        traceback.print_exc()  # a defect of ours, which the parent can only say that there is one
        raise
    finally:
        os._exit(status)


def _send_answer(link: socket.socket, answer: bytes) -> None:
    if len(answer) > _MESSAGE_BYTES:
        answer = _DO_IT_YOURSELF
    try:
        link.send(answer)
    except OSError as err:
        if err.errno not in _TOO_MUCH:
            raise
        link.send(_DO_IT_YOURSELF)


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
