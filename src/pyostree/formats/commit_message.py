"""Commit messages as a person writes them into an editor."""

from __future__ import annotations

from typing import NamedTuple

_INSTRUCTIONS = """
# Please enter the commit message for your changes. The first line will
# become the subject, and the remainder the body. Lines starting
# with '#' will be ignored, and an empty message aborts the commit.
"""
# What ends a line without being seen; a vertical tab is not among it, as in the reference.
_BLANKS = " \t\n\f\r"


class CommitMessage(NamedTuple):
    """What a commit says of itself; an empty subject means that nothing was written."""

    subject: str = ""
    body: str = ""


def format_message_template(branch: str | None, subject: str | None) -> str:
    """Return what an editor shows at first."""
    lines = _INSTRUCTIONS
    if branch is not None:
        lines += f"#\n# Branch: {branch}\n"
    if subject is not None:
        lines += f"{subject}\n"
    return lines


def parse_message(text: str) -> CommitMessage:
    """Return the message in an edited template.

    Lines that begin with ``#`` are comments. The first other line that is not empty is the subject,
    and all from the next such line on is the body.
    """
    subject = ""
    body: list[str] = []
    for line in text.split("\n"):
        stripped = line.rstrip(_BLANKS)
        if stripped.startswith("#"):
            continue
        if not subject:
            subject = stripped
        elif stripped or body:
            body.append(stripped)
    return CommitMessage(subject, "\n".join(body).rstrip(_BLANKS))
