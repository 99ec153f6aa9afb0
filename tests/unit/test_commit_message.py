"""What an editor shows for a commit, and what becomes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.cli.editor import EditorError, choose_editor
from pyostree.formats.commit_message import (
    CommitMessage,
    format_message_template,
    parse_message,
)


def test_template_without_anything_is_a_comment_below_an_empty_line() -> None:
    lines = format_message_template(None, None).split("\n")
    assert lines[0] == lines[-1] == ""
    assert all(line.startswith("#") for line in lines[1:-1])
    assert parse_message("\n".join(lines)) == CommitMessage("", "")


def test_template_names_branch_and_subject() -> None:
    template = format_message_template("deep/branch", "subject")
    assert template.endswith("\n#\n# Branch: deep/branch\nsubject\n")
    assert parse_message(template) == CommitMessage("subject", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one", ("one", "")),
        ("one\ntwo\n", ("one", "two")),
        ("\n \n  one \t\n\n\nbody \n\n #x\nend\n\n \n", ("  one", "body\n\n #x\nend")),
        ("# c\none\n#c\ntwo\n#c\nthree", ("one", "two\nthree")),
        ("one\r\n\r\ntwo\r\n", ("one", "two")),
        ("one\v\n", ("one\v", "")),
        ("#one\n \n", ("", "")),
    ],
)
def test_parse_message(text: str, message: tuple[str, str]) -> None:
    assert parse_message(text) == message


@given(st.text(), st.text())
def test_parse_message_is_stable(subject: str, body: str) -> None:
    first = parse_message(f"{subject}\n\n{body}")
    assert "\n" not in first.subject
    if first.subject:  # a line that begins with # inside would be gone in the second round
        assert parse_message(f"{first.subject}\n\n{first.body}") == first


@pytest.mark.parametrize(
    ("environment", "editor"),
    [
        ({}, None),
        ({"TERM": "dumb", "VISUAL": "v"}, None),
        ({"VISUAL": "v"}, None),
        ({"EDITOR": "e", "VISUAL": "v"}, "e"),
        ({"TERM": "xterm"}, "vi"),
        ({"TERM": "xterm", "EDITOR": "e"}, "e"),
        ({"TERM": "xterm", "EDITOR": "e", "VISUAL": "v"}, "v"),
        ({"TERM": "", "VISUAL": "v"}, "v"),
        ({"TERM": "dumb", "OSTREE_EDITOR": "o", "EDITOR": "e"}, "o"),
        ({"TERM": "xterm", "OSTREE_EDITOR": "o", "VISUAL": "v"}, "o"),
    ],
)
def test_choose_editor(environment: dict[str, str], editor: str | None) -> None:
    if editor is not None:
        assert choose_editor(environment) == editor
        return
    with pytest.raises(EditorError, match="Terminal is dumb, but EDITOR unset"):
        choose_editor(environment)
