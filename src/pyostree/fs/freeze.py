"""Freezing a file system for a moment, so that its journal is empty: `freeze_thaw`.

Boot loaders read a file system without replaying its journal. A watchdog process thaws the file
system if this process dies in between.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
from contextlib import suppress

from pyostree.errors import OstreeError
from pyostree.fs.dir import Dir, system_call
from pyostree.fs.kernel import freeze, syncfs, thaw

_TIMEOUT_S = 30
_TEST_TIMEOUT_S = 1
# What answers for "there is nothing to freeze here" or "you may not".
_NO_FREEZE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EBUSY, errno.ENOTTY)


def freeze_thaw(directory: Dir, *, test_watchdog: bool = False) -> None:
    """Freeze and thaw the file system of `directory`; sync it where freezing is impossible.

    Args:
        test_watchdog: let the watchdog run into its timeout, then fail on purpose.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        watchdog = os.fork()
        if watchdog == 0:
            _run_watchdog(directory.fileno(), theirs.fileno(), is_test=test_watchdog)
        theirs.close()
        if test_watchdog:
            os.waitpid(watchdog, 0)
            raise OstreeError("aborting due to test-fifreeze")
        os.waitpid(watchdog, 0)  # its child goes on
        if ours.recv(1) != b"r":
            raise OstreeError("fifreeze watchdog failed to start")
        ours.send(b"s")
        _freeze_and_thaw(directory)
        with suppress(OSError):  # a watchdog that has gone needs no telling
            ours.send(b"d")


def _freeze_and_thaw(directory: Dir) -> None:
    try:
        freeze(directory)
    except OSError as err:
        if err.errno not in _NO_FREEZE:
            err.add_note("ioctl(FIFREEZE)")
            raise
        syncfs(directory)
        return
    try:
        thaw(directory)
    except OSError as err:
        if err.errno != errno.EINVAL:  # the watchdog was faster
            err.add_note("ioctl(FITHAW)")
            raise


def _run_watchdog(directory_fd: int, socket_fd: int, *, is_test: bool) -> None:
    """Be the watchdog; never returns."""
    status = 1
    try:
        if not is_test:
            os.setsid()
            if os.fork() != 0:
                os._exit(0)
        # Locks and pipes of the parent must not live on in here.
        _close_others(directory_fd, socket_fd, keep_stderr=is_test)
        _watch(directory_fd, socket_fd, is_test=is_test)
        status = 0
    finally:
        os._exit(status)


def _close_others(*keep: int, keep_stderr: bool) -> None:
    wanted = sorted({*keep, *((2,) if keep_stderr else ())})
    low = 0
    for fd in wanted:
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX") if low < 1 << 16 else low)


def _watch(directory_fd: int, socket_fd: int, *, is_test: bool) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if not is_test:
        os.write(socket_fd, b"r")
        if os.read(socket_fd, 1) != b"s":
            return
    poller = select.poll()
    poller.register(socket_fd, select.POLLIN)
    timeout_ms = 1000 * (_TEST_TIMEOUT_S if is_test else _TIMEOUT_S)
    if poller.poll(timeout_ms) and os.read(socket_fd, 1) == b"d":
        return
    with suppress(OSError), system_call("ioctl(FITHAW)"):
        thaw(Dir(directory_fd, "boot"))
    if is_test:
        os.write(2, b"fifreeze watchdog was run\n")
