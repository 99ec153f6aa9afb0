"""Programs that add commands: ``ostree NAME`` runs ``ostree-NAME`` when we have no such command."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from typing import NoReturn

from pyostree.errors import doing

_EXTENSION_DIRECTORY = "/usr/libexec/libostree/ext"
_SHELL = "/bin/sh"


def find_external(name: str, search_path: str) -> str | None:
    """Return the program for the command `name`, which is none of our own.

    Args:
        name: as typed, not empty.
        search_path: directories separated by colons, as in ``PATH``.
    """
    if "/" in name:
        return None
    program = f"ostree-{name}"
    installed = f"{_EXTENSION_DIRECTORY}/{program}"
    if os.path.exists(installed):
        return installed
    return program if any(_candidates(program, search_path)) else None


def _candidates(program: str, search_path: str) -> Iterator[str]:
    if "/" in program:
        return
    for directory in search_path.split(":"):
        candidate = os.path.join(directory, program)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            yield candidate


def run_external(program: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by `program`; it sees all of our arguments, its name too.

    Raises:
        OSError: the program cannot be executed.
    """
    from signal import SIG_DFL, SIGPIPE, signal  # slow, and only needed here

    signal(SIGPIPE, SIG_DFL)  # Python ignores it, and a new program would inherit that
    with doing(f"Executing {program}"):
        try:
            os.execvp(program, [program, *arguments])
        except OSError as err:
            if err.errno != errno.ENOEXEC:
                raise
        # A script that does not say what runs it: the shell does, as execvp(3) has it.
        path = next(_candidates(program, os.environ.get("PATH", os.defpath)), program)
        os.execv(_SHELL, [_SHELL, path, *arguments])
