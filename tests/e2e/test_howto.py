"""The how-tos run as they stand: every ``console`` block of a page, in order, in one directory.

A line that starts with ``$ `` is a command (a trailing backslash continues it); the lines under it
are what it prints. ``...`` in a line stands for anything within it, a line of only ``...`` for any
lines.

Each step runs in a fresh shell, where nobody is who follows the page by hand: what would change the
shell for the next step (``cd``) is no step.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs/how-to").glob("*.md"))
_CHANGES_SHELL = re.compile(r"(?:^|[;&|!{]\s*)(?:cd|pushd|export|umask)\s", re.MULTILINE)
_SUBSHELL = re.compile(r"\([^()]*\)")
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Step(NamedTuple):
    command: str
    expected: str


def steps(page: str) -> Iterator[Step]:
    for block in _BLOCK.findall(page):
        joined = block.replace("\\\n", "\\\0")
        for part in re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            assert not _changes_shell(command), f"only in a subshell: {command}"
            yield Step(command.replace("\\\0", "\\\n"), expected)


def _changes_shell(command: str) -> bool:
    while command != (outer := _SUBSHELL.sub("", command)):
        command = outer
    return _CHANGES_SHELL.search(command) is not None


def as_pattern(expected: str) -> re.Pattern[str]:
    """Return the pattern that the output of a step has to match."""
    text = re.escape(expected)
    text = re.sub(r"(?m)^\\\.\\\.\\\.(?:\\\n|\n)", "(?:.*\\\\n)*", text)
    return re.compile(text.replace(r"\.\.\.", ".*"))


# Hosts of a page are those of the whole machine, where the same page may be running once more.
_HOSTS = re.compile(r"\bpeers-(?=server|device)")
_OWN_HOSTS = f"peers{os.getpid()}-"


@pytest.fixture(autouse=True)
def _no_hosts_left() -> Iterator[None]:
    """A page that fails half-way leaves nothing behind."""
    yield
    for host in (f"{_OWN_HOSTS}server", f"{_OWN_HOSTS}device"):
        script = f"ip netns pids {host} | xargs -r kill; ip netns delete {host}"
        subprocess.run(["sh", "-c", script], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory with a short name: sockets of GnuPG below it have at most 108 bytes of path."""
    root = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    with tempfile.TemporaryDirectory(prefix="how", dir=root) as directory:
        yield Path(directory)


@pytest.mark.parametrize(
    "command",
    ["cd a", "! cd a", "cd a && cp b \\\n  c", "mkdir a && cd a", "x; cd a", "export A=b"],
)
def test_step_that_leaves_the_shell_elsewhere_is_none(command: str) -> None:
    page = "```console\n$ {}\nfine\n```\n"
    with pytest.raises(AssertionError, match="only in a subshell"):
        list(steps(page.format(command)))
    inner = f"({command} $(echo (b)))"
    assert list(steps(page.format(inner))) == [Step(inner, "fine\n")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_how_to_commands_print_what_the_page_says(page: Path, home: Path, ostree: Path) -> None:
    environment = {
        "PATH": f"{ostree.parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        # A deployment that no one can delete would stay behind in the test's directory.
        "OSTREE_SYSROOT_DEBUG": "mutable-deployments",
    }
    environment |= {k: v for k, v in os.environ.items() if k == "TMPDIR"}
    done = list(steps(_HOSTS.sub(_OWN_HOSTS, page.read_text())))
    assert done, "a how-to without a command"
    (home / "work").mkdir()
    (home / "work/examples").symlink_to(PAGES[0].parents[2] / "examples")
    for step in done:
        result = subprocess.run(
            ["/bin/sh", "-e", "-c", step.command],
            check=False,
            cwd=home / "work",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        shown = f"$ {step.command}\n{result.stdout}"
        assert result.returncode == 0, shown
        assert as_pattern(step.expected).fullmatch(result.stdout), shown
