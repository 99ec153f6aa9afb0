"""Our command and the reference's, given the same words, refuse them in the same words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import NamedTuple

import pytest

REFERENCE = "/usr/bin/ostree"
OURS = os.path.join(os.path.dirname(sys.executable), "ostree")

# Releases and builds of the reference differ in their options, so only what both have is compared;
# the wording of descriptions is ours.
_OPTION_LINE = re.compile(r"^  ((?:-\S, )?--[a-z0-9-]+).*?(?= {5}|$)")


class Result(NamedTuple):
    status: int
    out: str
    err: str


def run(program: str, arguments: list[str], locale: str = "C.UTF-8") -> Result:
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": locale, "OSTREE_SYSROOT": "/nonexistent"}
    done = subprocess.run(
        [program, *arguments], check=False, capture_output=True, env=environment, cwd="/"
    )
    out, err = (text.decode(errors="surrogateescape") for text in (done.stdout, done.stderr))
    return Result(done.returncode, out.replace(program, "ostree"), err.replace(program, "ostree"))


@pytest.mark.parametrize(
    "words",
    [
        "pull --depth=abc",
        "pull --depth=",
        "pull --depth=99999999999",
        "pull --depth",
        "ls --foo=1",
        "ls -Rx",
        "ls -R=x",
        "ls -xh",
        "ls --bran",
        "commit -s",
        "commit -sm x",
        "commit -bmain",
        "commit -Is",
        "commit --fsync=maybe",
        "checksum --repo=x y",
        "ls --repo=/nonexistent x",
        "rev-parse --repo=/nonexistent -- x",
        "-v --foo refs",
    ],
)
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_bad_options_same_error(words: str, locale: str) -> None:
    ours = run(OURS, words.split(), locale)
    assert ours == run(REFERENCE, words.split(), locale)
    assert ours.status == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["frob"],
        [""],
        ["--repo", "R", "refs"],
        ["--repo=R"],
        ["remote"],
        ["remote", "frob"],
        ["remote", "--", "add"],
        ["--repo=R", "remote"],
        ["admin"],
        ["admin", "frob"],
        ["admin", "frob", "--x"],
        ["refs"],
        ["--", "refs", "--list"],
        ["rev-parse", "x"],
        ["remote", "list"],
    ],
    ids=repr,
)
def test_missing_parts_same_error_below_the_usage(words: list[str]) -> None:
    ours, theirs = run(OURS, words), run(REFERENCE, words)
    assert (ours.status, ours.out) == (theirs.status, theirs.out) == (1, "")
    assert ours.err.splitlines()[-2:] == theirs.err.splitlines()[-2:]
    assert ours.err.splitlines()[:2] == theirs.err.splitlines()[:2]


@pytest.mark.parametrize(
    "command",
    [
        "cat",
        "checkout",
        "checksum",
        "commit",
        "config",
        "diff",
        "fsck",
        "init",
        "log",
        "ls",
        "prune",
        "pull",
        "pull-local",
        "refs",
        "remote add",
        "remote delete",
        "remote list",
        "remote refs",
        "remote show-url",
        "remote summary",
        "reset",
        "rev-parse",
        "show",
        "summary",
        "admin cleanup",
        "admin deploy",
        "admin init-fs",
        "admin set-origin",
        "admin status",
        "admin undeploy",
    ],
)
def test_help_same_layout(command: str) -> None:
    ours, theirs = (run(program, [*command.split(), "--help"]).out for program in (OURS, REFERENCE))
    common = set(names(ours)) & set(names(theirs))
    verbose = "--verbose" if command == "summary" else "-v, --verbose"  # -v is --view there
    assert {"-h, --help", verbose, "--version"} <= common
    assert shape(ours, common) == shape(theirs, common)
    check_columns(ours)


@pytest.mark.parametrize("words", [[], ["remote"], ["admin"]], ids=repr)
def test_group_help_same_layout(words: list[str]) -> None:
    ours, theirs = (run(program, [*words, "--help"]) for program in (OURS, REFERENCE))
    assert (ours.status, ours.err) == (0, "")
    titles = [line for line in theirs.out.splitlines() if line.endswith(":")]
    assert [line for line in ours.out.splitlines() if line.endswith(":")] == titles
    assert ours.out.splitlines()[:3] == theirs.out.splitlines()[:3]
    assert names(ours.out) == names(theirs.out)
    check_columns(ours.out)


def names(usage: str) -> list[str]:
    """Return the options of a usage text, without the names of their values."""
    return [match[1] for line in usage.splitlines() if (match := _OPTION_LINE.match(line))]


def shape(usage: str, common: set[str]) -> list[str]:
    """Return the lines of a usage text, without descriptions and options that are not `common`."""
    lines = []
    for number, line in enumerate(usage.splitlines()):
        match = _OPTION_LINE.match(line)
        if match is None:
            lines.append("the command's description" if number == 3 else line)
        elif match[1] in common:
            lines.append(match[1])
    return lines


def check_columns(usage: str) -> None:
    """Descriptions start five columns after the longest option."""
    matches = [match for line in usage.splitlines() if (match := _OPTION_LINE.match(line))]
    column = max(len(match[0]) for match in matches) + 5
    for match in matches:
        assert match.string[column - 1] == " "
        assert match.string[column] != " "
