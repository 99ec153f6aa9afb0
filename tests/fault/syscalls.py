"""One system call goes wrong: it fails and all others work, or the process is killed before it."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import pytest

from fault.power import CHANGING, CREATING
from fault.victim import Victim
from pyostree.fs import kernel
from repo_lab import Result, must, ours

T = TypeVar("T")

_READING = (
    "fstat",
    "getxattr",
    "lseek",
    "pread",
    "read",
    "readlink",
    "readv",
    "stat",
    "fstatvfs",
    "listxattr",
)
_OPENING = ("dup", "listdir", "open", "scandir")
_FILLING = (
    "copy_file_range",
    "fsync",
    "link",
    "mkdir",
    "open",
    "rename",
    "setxattr",
    "symlink",
    "write",
    "writev",
)
_LIBRARY = ("renameat2", "syncfs", "sync_file_range")


class Fault(NamedTuple):
    """What happens to which calls; `code` None kills the process."""

    name: str
    code: int | None
    calls: frozenset[str]


EIO = Fault("EIO", errno.EIO, frozenset((*_READING, *_OPENING, *CHANGING, *_LIBRARY)))
ENOSPC = Fault("ENOSPC", errno.ENOSPC, frozenset((*_FILLING, "renameat2")))
EMFILE = Fault("EMFILE", errno.EMFILE, frozenset(_OPENING))
EINTR = Fault("EINTR", errno.EINTR, frozenset(_LIBRARY))  # Python itself repeats the others
KILL = Fault("SIGKILL", None, frozenset((*CHANGING, "open", "renameat2")))


class Injector:
    """Lets the `number`-th of the calls of a fault go wrong.

    Attributes:
        hit: name and arguments of the call that went wrong, if one did.
        count: how many of these calls there were.
    """

    def __init__(self, fault: Fault, number: int) -> None:
        self.hit: tuple[str, tuple[object, ...]] | None = None
        self._fault = fault
        self.count = 0
        self._number = number
        self._lock = threading.Lock()

    def check(self, name: str, args: tuple[object, ...]) -> None:
        """Count a call; the chosen one does not return."""
        if name not in self._fault.calls:
            return
        if name == "open" and self._fault.code in (None, errno.ENOSPC):
            flags = args[1]
            if not isinstance(flags, int) or not flags & CREATING:
                return
        with self._lock:
            self.count += 1
            if self.count != self._number:
                return
        self.hit = (name, args)
        if self._fault.code is None:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(self._fault.code, os.strerror(self._fault.code or 0))

    def wrap(self, name: str, function: Callable[..., T]) -> Callable[..., T]:
        """Return `function`, checked."""

        def checked(*args: object, **options: object) -> T:
            self.check(name, args)
            return function(*args, **options)

        return checked


class _Library:
    """The C library's calls that `os` lacks."""

    def __init__(self, injector: Injector, library: ctypes.CDLL) -> None:
        self._injector = injector
        self._library = library

    def __getattr__(self, name: str) -> Callable[..., int]:
        really = getattr(self._library, name)

        def checked(*args: object) -> int:
            try:
                self._injector.check(name, args)
            except OSError as err:
                ctypes.set_errno(err.errno or 0)
                return -1
            result: int = really(*args)
            return result

        return checked


@contextmanager
def injected(fault: Fault, number: int) -> Iterator[Injector]:
    """Let the `number`-th call that `fault` is about go wrong while the block runs."""
    injector = Injector(fault, number)
    library = kernel._libc()
    with pytest.MonkeyPatch.context() as patch:
        for name in {*_READING, *_OPENING, *CHANGING}:
            patch.setattr(os, name, injector.wrap(name, getattr(os, name)))
        for name in ("fcntl", "flock", "ioctl"):
            patch.setattr(fcntl, name, injector.wrap(name, getattr(fcntl, name)))
        patch.setattr(kernel, "_libc", lambda: _Library(injector, library))
        yield injector


def count_calls(fault: Fault, words: list[str]) -> int:
    """Return how many calls a command makes that `fault` is about."""
    with injected(fault, 0) as injector:
        must(ours(*words))
    return injector.count


class Outcome(NamedTuple):
    """What became of a command whose call went wrong; `result` is None when it was killed."""

    result: Result | None
    hit: tuple[str, tuple[object, ...]] | None


def run_into(fault: Fault, number: int, words: list[str], victim: Victim) -> Outcome:
    """Run our command with a fault; `hit` is None when it needs fewer such calls."""
    if fault.code is not None:
        with injected(fault, number) as injector:
            result = ours(*words)
        return Outcome(result, injector.hit)
    if victim.was_killed(number, words):
        return Outcome(None, ("killed", ()))
    return Outcome(Result(0, "", ""), None)
