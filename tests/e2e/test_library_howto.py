"""The how-to for programs runs as it stands: its ``pycon`` blocks are one session at a prompt."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/library.md"
README = ROOT / "README.md"
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
_BLOCK = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [PAGE, README], ids=lambda page: page.stem)
def test_sessions_print_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OSTREE_SUPPRESS_SYNCFS", "1")
    session = "\n".join(_BLOCK.findall(page.read_text()))
    assert ">>>" in session, "a page without a session"
    test = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    said: list[str] = []
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert results.failed == 0, "".join(said)


def test_program_on_the_page_is_the_example() -> None:
    program = (ROOT / "examples/commit_and_read.py").read_text()
    assert program in PAGE.read_text()
    assert len(program.splitlines()) <= 20


def run(program: str, *words: str | Path) -> str:
    """Run an example; return what it printed."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / program, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OSTREE_SUPPRESS_SYNCFS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_examples_work_together(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/greeting").write_text("hello\n")
    assert run("commit_from_memory.py", repo).splitlines()[-1] == "040700 42 /var/lib/secrets"
    assert run("commit_and_read.py", repo, tmp_path / "tree", "/greeting") == "hello\n"
    shown = run("checkout_with_progress.py", repo, "image", tmp_path / "out").splitlines()
    assert shown[-1] == "writing 100% of 3 files"
    assert (tmp_path / "out/usr/etc/motd").read_text() == "welcome\n"
    shown = run("keep_tidy.py", repo, "1").splitlines()
    assert shown[:2] == ["example: keeping 1", "image: keeping 1"]
    assert shown[2].startswith("deleted 0 of ")


def test_example_that_pulls(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    run("commit_from_memory.py", source)
    shown = run("pull_with_progress.py", target, source.as_uri(), "image").splitlines()
    assert shown[-2].startswith("writing 100% of ")
    assert shown[-1] == "origin:image is new"
    shown = run("pull_with_progress.py", target, source.as_uri(), "image").splitlines()
    assert shown[-1] == "origin:image is as it was"


def test_examples_are_all_run_here() -> None:
    source = Path(__file__).read_text()
    assert [path.name for path in EXAMPLES if f'"{path.name}"' not in source] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_uses_only_public_names(path: Path) -> None:
    text = path.read_text()
    assert "import pyostree." not in text
    assert "from pyostree." not in text
    assert not re.search(r"\._\w", text)
