"""A power cut in the middle of things: from the n-th changing system call on, all of them fail."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from pyostree.errors import OstreeError
from pyostree.fs import kernel
from pyostree.repo import transaction
from pyostree.sysroot import sync

# Everything in `os` that changes a file system; opening counts when it creates.
CHANGING = [
    "chmod",
    "chown",
    "copy_file_range",
    "fchmod",
    "fchown",
    "fsync",
    "ftruncate",
    "link",
    "mkdir",
    "mknod",
    "rename",
    "rmdir",
    "removexattr",
    "setxattr",
    "symlink",
    "unlink",
    "utime",
    "write",
    "writev",
]
CREATING = os.O_CREAT | os.O_TMPFILE & ~os.O_DIRECTORY


T = TypeVar("T")


class Power:
    """Counts changing calls, notes them, and cuts the power when told to.

    Attributes:
        calls: names and arguments of the calls that were let through.
        was_cut: whether the cut came.
    """

    def __init__(self, before_call: int | None) -> None:
        self.calls: list[tuple[str, tuple[object, ...]]] = []
        self.was_cut = False
        self._left = before_call
        self._lock = threading.Lock()

    def check(self, name: str, args: tuple[object, ...]) -> None:
        """Note a call, or raise as a dying disk would."""
        with self._lock:
            if self._left is not None:
                if self._left <= 1:
                    self.was_cut = True
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                self._left -= 1
            self.calls.append((name, args))

    def wrap(self, name: str, function: Callable[..., T]) -> Callable[..., T]:
        """Return `function`, checked."""

        def checked(*args: object, **options: object) -> T:
            self.check(name, args)
            return function(*args, **options)

        return checked


@contextmanager
def power_cut(before_call: int | None = None) -> Iterator[Power]:
    """Let changing system calls fail from number `before_call` on; None only notes them.

    What the code under test raises because of that is swallowed; another process's calls, and those
    made without `os` and `fs.kernel`, are not seen.
    """
    power = Power(before_call)
    really = kernel._libc()
    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGING:
            # The disk really is there all the time: no need to wait for it.
            function = _nothing if name == "fsync" else getattr(os, name)
            patch.setattr(os, name, power.wrap(name, function))
        patch.setattr(os, "open", _checked_open(power))
        for module in (transaction, sync):
            patch.setattr(module, "syncfs", power.wrap("syncfs", _nothing))
        patch.setattr(kernel, "_libc", lambda: _CheckedLibrary(power, really))
        # The real one would freeze the machine's own disk.
        patch.setattr(sync, "freeze_thaw", power.wrap("freeze", _nothing))
        try:
            yield power
        except (OSError, OstreeError):
            if not power.was_cut:
                raise


class _CheckedLibrary:
    """The C library's calls that `os` lacks, checked."""

    def __init__(self, power: Power, library: ctypes.CDLL) -> None:
        self._power = power
        self._library = library

    def renameat2(self, *args: object) -> int:
        try:
            self._power.check("renameat2", args)
        except OSError as err:
            ctypes.set_errno(err.errno or 0)
            return -1
        result: int = self._library.renameat2(*args)
        return result


def _nothing(*_args: object, **_options: object) -> None:
    pass


def _checked_open(power: Power) -> Callable[..., int]:
    really_open = os.open

    def checked(path: str, flags: int, *args: int, **options: int | None) -> int:
        if flags & CREATING:
            power.check("open", (path, flags))
        return really_open(path, flags, *args, **options)

    return checked


def every_cut() -> Iterator[int]:
    """Yield 1, 2, 3 ...: the caller stops when the power was not cut any more."""
    return itertools.count(1)
