"""Command lines that sign and verify with the dummy engine, each run by both commands.

It is the only engine that the installed reference has; what the commands do around the engine is
the same for all of them. Lines whose answer is that of a later release stand here, with the answer.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from repo_lab import (
    REFERENCE,
    WHEN,
    Entry,
    Result,
    listing,
    must,
    ours,
    reference,
    run_process,
    write_files,
)
from table_lab import LOCALE, USAGE, read_table

TABLE = read_table(Path(__file__).with_name("sign_commands.txt"))
ALLOWED = {"OSTREE_DUMMY_SIGN_ENABLED": "1"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Repositories with commits to sign."""
    path = tmp_path_factory.mktemp("sign") / "place"
    write_files(path, {"tree/a": "one\n", "tree/dir/b": "two\n", "one": "k\n", "two": "j\ni\n"})
    for name, mode in (("r", "archive"), ("bare", "bare-user-only"), ("child", "archive")):
        must(reference("init", f"--repo={path / name}", f"--mode={mode}"))
    for name in ("r", "bare"):
        repo = f"--repo={path / name}"
        for subject in ("first", "second"):
            must(
                reference(
                    "commit", repo, "--branch=main", WHEN, f"--subject={subject}", path / "tree"
                )
            )
    repo = f"--repo={path / 'r'}"
    notes = [f"--add-detached-metadata-string={key}=note" for key in ("zebra", "apple", "middle")]
    must(reference("commit", repo, "--branch=noted", WHEN, *notes, path / "tree"))
    signed = [
        "--branch=signed",
        "--sign-type=dummy",
        "--sign=k",
        "--subject=signed",
        WHEN,
        path / "tree",
    ]
    must(run_process(REFERENCE, "commit", repo, *signed, **ALLOWED))
    must(reference("config", f"--repo={path / 'child'}", "set", "core.parent", "../r"))
    return path


@pytest.fixture
def work(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the place to run in."""
    path = place.with_name("work")
    path.mkdir()
    monkeypatch.chdir(path)
    yield path
    monkeypatch.chdir("/")
    shutil.rmtree(path)


def run_line(line: str, *, is_ours: bool) -> list[Result]:
    """Run the commands of a line, and hide what is meant to differ."""
    results = []
    for part in line.split(" ; "):
        words = shlex.split(part)
        result = ours(*words) if is_ours else run_process(REFERENCE, *words, **LOCALE)
        texts = (USAGE.sub("<usage>\n", text).replace("/usr/bin/", "") for text in result[1:])
        results.append(Result(result.status, *texts))
    return results


def copy_place(place: Path, work: Path, line: str) -> None:
    """Make `work` a copy of `place`, of the repositories only those that matter to the line."""
    for path in work.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    names = ["tree", "one", "two", *({"r"} | set(re.findall(r"=(child|bare)\b", line)))]
    subprocess.run(["cp", "-a", "--", *(place / name for name in names), work], check=True)


def compare(place: Path, work: Path, line: str) -> None:
    outcomes: list[tuple[list[Result], dict[str, Entry]]] = []
    for is_ours in (True, False):
        copy_place(place, work, line)
        results = run_line(line, is_ours=is_ours)
        # What a transaction leaves behind that has failed is its own affair.
        after = {name: entry for name, entry in listing(work).items() if "/staging-" not in name}
        outcomes.append((results, after))
    assert outcomes[0][0] == outcomes[1][0]
    assert outcomes[0][1] == outcomes[1][1]


@pytest.fixture
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ALLOWED.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize("line", TABLE["read"])
def test_reading_line_prints_the_same(
    place: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    assert run_line(line, is_ours=True) == run_line(line, is_ours=False)


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize("line", TABLE["write"])
def test_writing_line_does_the_same(place: Path, work: Path, line: str) -> None:
    compare(place, work, line)


@pytest.mark.parametrize("line", TABLE["not allowed"])
def test_line_without_leave_does_the_same(place: Path, work: Path, line: str) -> None:
    compare(place, work, line)


_COMMIT = "commit --repo=r -b x --timestamp=@1700000000 --sign-type=dummy tree"
# As newer releases than Debian's answer.
LATER = (
    (
        "sign --repo=r -s dummy main '' ; sign --repo=r -s dummy --verify main ''",
        "No valid signatures found",
    ),
    (
        f"{_COMMIT} --sign-from-file=nosuch",
        "Error opening file {work}/nosuch: No such file or directory",
    ),
    (f"{_COMMIT} --sign-from-file=tree", "Error opening file {work}/tree: Is a directory"),
    (
        f"{_COMMIT} --sign-type=frob --sign-from-file=nosuch",
        "Requested signature type is not implemented",
    ),
    (f"{_COMMIT} --sign-type=frob --sign=k", "Requested signature type is not implemented"),
)


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize(("line", "message"), LATER)
def test_line_answers_as_the_later_release(
    place: Path, work: Path, line: str, message: str
) -> None:
    copy_place(place, work, line)
    *before, last = run_line(line, is_ours=True)
    assert [result.status for result in before] == [0] * len(before)
    assert last == Result(1, "", f"error: {message.format(work=work)}\n")
    assert not (work / "r/refs/heads/x").exists()


@pytest.mark.usefixtures("_allowed")
def test_keys_of_arguments_and_files_sign_in_that_order(place: Path, work: Path) -> None:
    """Of a file, only the first key counts; the later release breaks off here, with a crash."""
    copy_place(place, work, "")
    words = ["--sign-from-file=two", "--sign-from-file=one", "--sign=z", "--sign=a"]
    must(ours(*shlex.split(_COMMIT), *words))
    shown = must(ours("show", "--repo=r", "--print-detached-metadata-key=ostree.sign.dummy", "x"))
    assert shown == "[[byte 0x7a], [0x61], [0x6a], [0x6b]]"
