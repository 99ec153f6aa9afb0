"""Text that a person writes in an editor of their choice."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from pyostree.errors import OstreeError
from pyostree.formats.commit_message import (
    CommitMessage,
    format_message_template,
    parse_message,
)

_DEFAULT = "vi"


class EditorError(OstreeError):
    """The editor could not be run, or says that it failed."""

    hint = "set OSTREE_EDITOR to a command that edits the file that it is given"


def choose_editor(environment: Mapping[str, str]) -> str:
    """Return the shell command of the editor.

    Raises:
        EditorError: the terminal can show none, and none was named.
    """
    is_dumb = environment.get("TERM", "dumb") == "dumb"
    names = ("OSTREE_EDITOR", "EDITOR") if is_dumb else ("OSTREE_EDITOR", "VISUAL", "EDITOR")
    for name in names:
        if name in environment:
            return environment[name]
    if is_dumb:
        raise EditorError("Terminal is dumb, but EDITOR unset")
    return _DEFAULT


def edit_message(branch: str | None, subject: str | None) -> CommitMessage:
    """Let a person write the message of a commit (errors as `edit`).

    Raises:
        EditorError: nothing was written, which means not to commit.
    """
    message = parse_message(edit(format_message_template(branch, subject)))
    if not message.subject:
        raise EditorError("Aborting commit due to empty commit subject.")
    return message


def edit(text: str) -> str:
    """Return what a person made of `text`.

    Raises:
        EditorError: there is no editor, or it failed.
        FormatError: the result is not UTF-8.
        OSError: the file to edit cannot be written.
    """
    import shlex
    import subprocess

    from pyostree.fs.tempdir import private_directory
    from pyostree.repo.text_file import read_text_file

    command = choose_editor(os.environ)
    with private_directory("ostree-") as directory:
        directory.replace_file("COMMIT_MESSAGE", text.encode("utf-8", "surrogateescape"))
        path = f"{directory.label}/COMMIT_MESSAGE"
        sys.stdout.flush()
        done = subprocess.run(["/bin/sh", "-c", f"{command} {shlex.quote(path)}"], check=False)
        if done.returncode:
            raise EditorError(
                f"There was a problem with the editor '{command}'{_outcome(done.returncode)}"
            )
        return read_text_file(path)


def _outcome(status: int) -> str:
    if status < 0:
        return f"Child process killed by signal {-status}"
    return f"Child process exited with code {status}"
