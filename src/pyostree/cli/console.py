"""Standard output and error: character set, error lines, and the ways a process can end."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import BinaryIO, NoReturn, TextIO

from pyostree.errors import OstreeError, describe

_RED_BOLD = "\x1b[31m\x1b[1m"
_PLAIN = "\x1b[0m\x1b[22m"
# Python replaces the C locale by one of these before our first line runs (PEP 538)
_COERCED_LOCALES = ("C.UTF-8", "C.utf8", "UTF-8")


class Console:
    """Where a command writes: `out` for results, `err` for messages."""

    __slots__ = ("charset", "err", "out")

    def __init__(self, out: TextIO, err: TextIO, charset: str) -> None:
        self.out = out
        self.err = err
        self.charset = charset

    @classmethod
    def standard(cls) -> Console:
        """Return the console of this process, set up for its locale.

        What the locale cannot represent is written ``?``; in a UTF-8 locale names that are no UTF-8
        are written as the bytes they are.
        """
        charset = locale_charset()
        errors = "surrogateescape" if charset == "utf-8" else "replace"
        return cls(
            _set_up(sys.stdout, charset, errors), _set_up(sys.stderr, charset, errors), charset
        )

    def report(self, err: BaseException) -> None:
        """Print the error line, and the hint if a person is watching."""
        word = f"{_RED_BOLD}error:{_PLAIN}" if self.out.isatty() else "error:"
        self.message(f"{word} {describe(err)}")
        hint = getattr(err, "hint", None)
        if hint and self.err.isatty():
            self.message(f"hint: {hint}")

    def message(self, text: str) -> None:
        """Print a line on standard error."""
        try:
            self.out.flush()  # first, so that both keep their order in a common log
        finally:
            self.err.write(f"{text}\n")
            self.err.flush()

    def is_reader_gone(self) -> bool:
        """Tell whether standard output is a pipe that nobody reads any more."""
        from select import POLLERR, poll  # only after an error

        poller = poll()
        poller.register(self.out.fileno(), 0)
        return any(events & POLLERR for _, events in poller.poll(0))


class _Nowhere(TextIOWrapper):
    """Stands in for a stream that our caller closed: lines vanish, as the reference's do."""


def binary_output(out: TextIO, error: str) -> BinaryIO:
    """Return where a command writes content, which must not vanish.

    Raises:
        OstreeError: our caller closed standard output; `error` is the message.
    """
    if isinstance(out, _Nowhere):
        raise OstreeError(error)
    return out.buffer


def _set_up(stream: TextIO | None, charset: str, errors: str) -> TextIO:
    if stream is None:  # closed by our caller
        return _Nowhere(open(os.devnull, "wb"), encoding=charset, errors=errors)
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(encoding=charset, errors=errors)
    return stream


def locale_charset() -> str:
    """Return the codec of the user's locale, ``ascii`` for the C locale."""
    from _locale import CODESET, nl_langinfo  # `locale` itself is slow to import

    was_coerced = (
        sys.flags.utf8_mode
        and not os.environ.get("LC_ALL")
        and os.environ.get("LC_CTYPE") in _COERCED_LOCALES
    )
    name = "ascii" if was_coerced else nl_langinfo(CODESET)
    try:
        "x".encode(name)
    except LookupError:
        return "ascii"
    return name.lower()


def follow_locale_of_times() -> None:
    """Let times be written as the user's locale has it, such as those of signatures."""
    from _locale import LC_TIME, Error, setlocale  # type: ignore[attr-defined]

    with suppress(Error):  # one that is not installed is as good as none
        setlocale(LC_TIME, "")


def show_debug_messages(err: TextIO) -> None:
    """Print what the library logs, for ``--verbose``."""
    import logging  # slow, and rarely wanted

    handler = logging.StreamHandler(err)
    handler.setFormatter(logging.Formatter("OT: %(message)s"))
    logger = logging.getLogger("pyostree")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)


def drop_output(*descriptors: int) -> None:
    """Send to nowhere what is still buffered, so that the interpreter's exit stays silent."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


def die_by_signal(name: str) -> NoReturn:
    """End as if the signal called `name` had not been caught, which is what a shell looks at."""
    import signal  # slow, and rarely needed

    number = signal.Signals[name]
    drop_output(1, 2)
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # not reached, unless the signal is held back
