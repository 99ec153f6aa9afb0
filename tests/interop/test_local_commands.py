"""Hundreds of command lines, each run by both commands on copies of one place.

``local_commands.txt`` has them: what only reads, what also writes, and what needs a shell. Both
streams, the exit status and, after the latter two, all files must be the same. What is meant to
differ (see docs/differences.md) is not in the table. Where the order of what is printed goes by the
numbers of inodes, both run on the same copy.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from repo_lab import (
    OURS,
    REFERENCE,
    Entry,
    Result,
    copy_tree,
    listing,
    ours,
    run_process,
    write_files,
)
from table_lab import LOCALE, USAGE, read_table

TABLE = read_table(Path(__file__).with_name("local_commands.txt"))
MAKE_PLACE = Path(__file__).with_name("make_local_place.sh")
REPOS = ("archive", "bare", "bare-user", "bare-user-only", "coll")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("local") / "place"
    make_trees(path)
    environment = {**os.environ, **LOCALE, "OSTREE_SUPPRESS_SYNCFS": "1"}
    done = subprocess.run(
        ["sh", "-e", MAKE_PLACE, REFERENCE], cwd=path, env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return path


def make_trees(path: Path) -> None:
    """Make two trees that differ, one with odd names, and lists for checkouts."""
    write_files(path, {
        "tree/firstfile": "first\n", "tree/script": "#!/bin/sh\n", "tree/empty": None,
        "tree/baz/cow": "moo\n", "tree/baz/deeper/ohyeah": "hi\n", "dest/firstfile": "here\n",
        "sub": None, "skip": "junk\n", "skiplist": "/baz/cow\n/empty/\n",
        "pairs": "main\0/baz\0",
    })  # fmt: skip
    links = {"alink": "nonexistent", "good": "cow", "absolute": "/firstfile", "up": "../firstfile"}
    for name, target in {**links, "dir": "deeper", "loop": "loop"}.items():
        (path / "tree/baz" / name).symlink_to(target)
    os.setxattr(path / "tree/script", "user.note", b"value")
    os.setxattr(path / "tree/baz", "user.bin", b"\0\xff")
    copy_tree(path / "tree", path / "tree2")
    write_files(
        path / "tree2", {"firstfile": "changed\n", "newdir/newfile": "n", "newdir/sub/x": "x"}
    )
    (path / "tree2/script").unlink()
    (path / "tree2/baz/cow").chmod(0o600)
    names = ("new\nline", "quo'te", "é", "日本", "with space", "back\\slash", "bell\a", "-x")
    write_files(path / "odd", {**dict.fromkeys(names, "odd"), "dir with space/-dash": ""})
    (path / "odd/lnk").symlink_to("tar\nget é")
    (path / "odd/-x").chmod(0o4755)


@pytest.fixture
def work(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory in which both run, one after the other, on the same names."""
    path = place.with_name("work")
    yield path
    monkeypatch.chdir("/")
    shutil.rmtree(path, ignore_errors=True)


def copy_place(place: Path, work: Path, line: str) -> None:
    """Make `work` a copy of `place`, of the repositories only those that the line names."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    named = set(re.findall(r"[\w-]+", line.replace("--repo=", " ")))
    names = [name for name in os.listdir(place) if name not in REPOS or name in named]
    subprocess.run(["cp", "-a", "--", *names, work], check=True, cwd=place)


def normal(result: Result, words: str, *hidden: str) -> Result:
    """Leave out what may differ: usage texts, where the program is, an order we define."""
    texts = []
    for text in (result.out, result.err):
        for name in hidden:
            text = text.replace(name, "")
        texts.append(USAGE.sub("<usage>\n", text))
    if re.search(r"\brefs\b", words):  # the installed release does not sort
        texts[0] = "".join(sorted(texts[0].splitlines(keepends=True)))
    return Result(result.status, *texts)


@pytest.mark.parametrize("line", TABLE["read"])
def test_reading_line_prints_the_same(
    place: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("TZ", "UTC")
    words = shlex.split(line)
    expected = run_process(REFERENCE, *words, **LOCALE)
    assert normal(ours(*words), line) == normal(expected, line, "/usr/bin/")


@pytest.mark.parametrize("line", TABLE["write"])
def test_writing_line_does_the_same(
    place: Path, work: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[tuple[Result, dict[str, Entry]]] = []
    for command in (ours, lambda *words: run_process(REFERENCE, *words, **LOCALE)):
        monkeypatch.chdir("/")
        copy_place(place, work, line)
        monkeypatch.chdir(work)
        result = normal(command(*shlex.split(line)), line, "/usr/bin/")
        outcomes.append((result, listing(work)))
    assert outcomes[0][0] == outcomes[1][0]
    assert outcomes[0][1] == outcomes[1][1]


@pytest.mark.parametrize("line", TABLE["shell"])
def test_shell_line_does_the_same(place: Path, work: Path, line: str, tmp_path: Path) -> None:
    outcomes: list[tuple[Result, dict[str, Entry]]] = []
    for program in (OURS, REFERENCE):
        copy_place(place, work, line)
        result = run_shell(program, line, work, tmp_path)
        outcomes.append((result, listing(work)))
    assert outcomes[0][0] == outcomes[1][0]
    assert outcomes[0][1] == outcomes[1][1]


@pytest.mark.parametrize("line", TABLE["same place"])
def test_shell_line_prints_the_same_in_the_same_order(
    place: Path, work: Path, line: str, tmp_path: Path
) -> None:
    copy_place(place, work, line)
    results = [run_shell(program, line, work, tmp_path) for program in (OURS, REFERENCE)]
    assert results[0] == results[1]


def run_shell(program: str, line: str, work: Path, tmp_path: Path) -> Result:
    """Run a line in which ``ostree`` is the program."""
    names = tmp_path / ("ours" if program == OURS else "reference")
    names.mkdir()
    (names / "ostree").symlink_to(program)
    environment = {**LOCALE, "PATH": f"{names}:/usr/bin:/bin", "OSTREE_SYSROOT": "/nonexistent"}
    done = subprocess.run(
        ["sh", "-c", line], check=False, capture_output=True, cwd=work, env=environment
    )
    texts = (text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr))
    return normal(Result(done.returncode, *texts), line, f"{names}/")
