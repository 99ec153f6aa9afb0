"""The tree of exceptions: everything the library raises on purpose derives from `OstreeError`.

A message uses the reference's words where it has any. The steps on the way (``opening repo``) are
notes on the exception, added by `doing`; a caller that prints an error joins them with ``: ``.
Errors of system calls stay `OSError`, so that ``except FileNotFoundError`` works; `fs` adds the
name of the call as a note.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


class OstreeError(Exception):
    """Root of all errors raised on purpose; `hint` says what to do next."""

    hint: str | None = None


class FormatError(OstreeError):
    """Bytes or text do not follow their format."""


class NotFoundError(OstreeError):
    """Something that was asked for by name does not exist."""


class ObjectNotFoundError(NotFoundError):
    """An object is not in the repository."""

    hint = "run `ostree fsck` to see what is missing, or pull the commit again"


class RefNotFoundError(NotFoundError):
    """A ref or refspec does not exist."""

    hint = "`ostree refs` lists what there is"


class PathNotFoundError(NotFoundError):
    """A path does not exist inside a commit."""


class NotADirectoryInTreeError(OstreeError):
    """A path inside a commit goes through something that is no directory."""


class RemoteNotFoundError(NotFoundError):
    """A remote is not configured."""

    hint = "`ostree remote list` shows the configured remotes"


class InvalidNameError(OstreeError):
    """A ref, remote, file or checksum name breaks its syntax."""


class AmbiguousRevError(OstreeError):
    """A checksum prefix names more than one commit."""


class CorruptObjectError(OstreeError):
    """An object's content is wrong."""

    hint = "run `ostree fsck --delete`, then pull the commit again"


class ChecksumMismatchError(CorruptObjectError):
    """An object's bytes do not hash to its name."""

    def __init__(self, kind: str, expected: str, actual: str) -> None:
        super().__init__(kind, expected, actual)  # all fields: an error must survive pickling
        self.kind = kind
        self.expected = expected
        self.actual = actual

    def __str__(self) -> str:
        return (
            f"Corrupted {self.kind} object; "
            f"checksum expected='{self.expected}' actual='{self.actual}'"
        )


class ConfigError(OstreeError):
    """A configuration file has a wrong value or cannot be parsed."""


class TransactionError(OstreeError):
    """A transaction was used in the wrong state, or ended on purpose by a test hook."""


class FreeSpaceError(OstreeError):
    """Writing would go below the configured minimum of free space."""

    hint = "free some space, or lower core.min-free-space-percent in the repository's config"


class ConflictError(OstreeError):
    """Two things claim the same name, or options contradict each other."""


class UnsupportedError(OstreeError):
    """The request is valid, but this kind of repository or file cannot serve it."""


class CancelledError(OstreeError):
    """The caller asked to stop; nothing is half done."""


class FetchError(OstreeError):
    """A remote could not be read."""


class FetchNotFoundError(FetchError, NotFoundError):
    """A remote does not have the requested file."""


class VerificationError(OstreeError):
    """A signature, binding or timestamp rule refuses a commit or summary."""


class DeploymentError(OstreeError):
    """A sysroot or deployment is not in the state that an operation needs."""


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Note `what` on any error passing through; its type and traceback stay."""
    try:
        yield
    except (OstreeError, OSError) as err:
        err.add_note(what)
        raise


def describe(err: BaseException) -> str:
    """Return ``NOTE: NOTE: MESSAGE`` for an error, the outermost note first."""
    notes = list(reversed(getattr(err, "__notes__", [])))
    if isinstance(err, OSError) and err.errno is not None:
        message = os.strerror(err.errno)
    else:
        message = str(err)
    return ": ".join([*notes, message])
