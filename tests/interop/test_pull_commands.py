"""``pull`` and ``pull-local``: ours and the reference's say the same, leave the same, ask no more.

``pull_commands.txt`` has the command lines. Each is run by both commands on copies of the same
repositories and from the same server; output, status and everything in the repositories must be the
same, the requests ours must be among the reference's. What is meant to differ (see
docs/differences.md), and what the installed release does not know yet, is not in the table.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gpg_lab import gpg_home
from repo_lab import (
    REFERENCE,
    Command,
    Result,
    must,
    ours,
    reference,
    run_process,
    stored_objects,
    walk,
    write_files,
    xattrs_of,
)
from table_lab import LOCALE, USAGE, read_table
from web_lab import Web, serving

TABLE = read_table(Path(__file__).with_name("pull_commands.txt"))
MAKE_PLACE = Path(__file__).with_name("make_pull_place.sh")
CLIENTS = ("c", "ca", "cb", "co", "partial", "child", "heir", "auto")
_SECONDS = re.compile(r"transferred in \d+ seconds")
# Since the installed release, HTTP errors are said to come while fetching something.
_WHILE_FETCHING = re.compile(r"While fetching \S+: (?=Server returned HTTP)")
_COMMIT = re.compile(r"\.commit(meta)?\b")
_METADATA = re.compile(r"^\d+(?= metadata)|(?<= delta parts, )\d+(?= loose)")
_OURS_ALONE = (".lock", "tmp/cache/summary-made")
_LAST_MODIFIED = re.compile(rb"(last-modified\0+?.{4}).{8}", re.DOTALL)
_DAY_S = 86400
_SUMMARY = re.compile(r"/summaries/.|^summary(\.sig)?$")
_STAGING = re.compile(r"staging-[0-9a-f-]{36}-\w{6}")
_TEXT_BYTES = 4096


class Place(NamedTuple):
    """What every line starts from.

    Attributes:
        words: what stands for what in the table.
    """

    path: Path
    web: Web
    words: dict[str, str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    path = tmp_path_factory.mktemp("pull") / "place"
    make_trees(path)
    with gpg_home() as keys, serving(path / "www") as web:
        done = subprocess.run(
            ["sh", "-e", MAKE_PLACE, REFERENCE, web.url, keys.path],
            cwd=path,
            env={**os.environ, **LOCALE, "OSTREE_SUPPRESS_SYNCFS": "1"},
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        commits = (path / "commits").read_text().split()
        names = ("C1", "C2", "C3", "OTHER", "DEEP", "OLD", "FREE")
        words = {"URL": web.url, "HERE": str(path), **dict(zip(names, commits, strict=True))}
        for name, ref in (("COLL", "coll"), ("BOTH", "both")):
            words[name] = must(reference("rev-parse", f"--repo={path}/www/{ref}", "main"))
        yield Place(path, web, words)


def make_trees(path: Path) -> None:
    """Make the trees of the commits."""
    write_files(path, {
        "tree1/firstfile": "first\n", "tree1/baz/cow": "moo\n", "tree1/baz/saucer": "alien\n",
        "tree1/baz/deeper/x": "x" * 3000, "tree1/empty": None,
    })  # fmt: skip
    (path / "tree1/baz/link").symlink_to("cow")
    for source, target in (("tree1", "tree2"), ("tree2", "tree3"), ("tree1", "tree4")):
        subprocess.run(["cp", "-a", path / source, path / target], check=True)
    write_files(path, {
        "tree2/baz/deeper/hi": "hi\n", "tree3/baz/deeper/hi": "hi\n", "tree3/firstfile": "new\n",
        "tree3/new/file": "n" * 5000,
    })  # fmt: skip
    (path / "tree4/baz/cow").chmod(0o666)


class Outcome(NamedTuple):
    """All that can be seen of one line."""

    results: list[Result]
    objects: dict[str, object]
    files: dict[str, dict[str, object]]


def play(place: Place, work: Path, line: str, command: Command) -> tuple[Outcome, Counter[str]]:
    """Run the commands of a line in new copies of the repositories that it names."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    text = re.sub(r"@([A-Z]+\d?)@", lambda match: place.words[match[1]], line)
    clients = [name for name in CLIENTS if re.search(rf"--repo={name}\b", line)]
    for entry in place.path.iterdir():
        if entry.name in clients:
            subprocess.run(["cp", "-a", "--", entry, work], check=True)
        else:
            (work / entry.name).symlink_to(entry)
    os.chdir(work)
    results, requests = [], Counter[str]()
    for part in text.split(" ; "):
        place.web.log.clear()
        result = normal(command(*shlex.split(part)), place, work)
        results.append(result if command is ours else recounted(result, place.web.log))
        requests.update(place.web.log)
    os.chdir("/")
    return (
        Outcome(
            results,
            {name: stored_objects(work / name) for name in clients},
            {name: other_files(work / name) for name in clients},
        ),
        requests,
    )


def recounted(result: Result, log: list[str]) -> Result:
    """Count as the release of today does: what a server lacked is not fetched metadata."""
    missing = sum(line.startswith("404 ") and bool(_COMMIT.search(line)) for line in log)
    out = _METADATA.sub(lambda match: str(int(match[0]) - missing), result.out)
    return result._replace(out=out)


def normal(result: Result, place: Place, work: Path) -> Result:
    """Leave out what may differ: usage texts, where things are, how long it took."""
    texts = []
    for text in (result.out, result.err):
        shown = USAGE.sub("<usage>\n", text).replace("/usr/bin/ostree", "ostree")
        shown = shown.replace(str(work), "<here>").replace(place.web.url, "<url>")
        shown = _SECONDS.sub("transferred in N seconds", shown)
        texts.append(_WHILE_FETCHING.sub("", shown))
    return Result(result.status, *texts)


def other_files(repo: Path) -> dict[str, object]:
    """Return all that a repository consists of besides its objects."""
    found: dict[str, object] = {}
    for path in walk(repo):
        name = _STAGING.sub("staging", str(path.relative_to(repo)))
        is_staged_dir = name.startswith("tmp/staging") and path.is_dir()
        if name.startswith("objects/") or name in _OURS_ALONE or is_staged_dir:
            continue
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not is_object(path) else b""
        content = _LAST_MODIFIED.sub(rb"\1", content)
        # Copied summaries have the time of the server's, which is long ago.
        is_old = _SUMMARY.search(name) and status.st_mtime < time.time() - _DAY_S
        time_s = int(status.st_mtime) if is_old else 0
        xattrs = () if is_object(path) else xattrs_of(path)
        found[name] = (oct(status.st_mode), content, time_s, xattrs)
    return found


def without_counts(outcome: Outcome) -> Outcome:
    """Leave out how much was fetched."""
    results = [
        result._replace(out=re.sub(r" parts, \d.*", "", result.out)) for result in outcome.results
    ]
    return outcome._replace(results=results)


def without_unfinished(outcome: Outcome) -> Outcome:
    """Leave out what waits for the next attempt."""
    files = {
        repo: {
            name: content
            for name, content in found.items()
            if not name.startswith(("tmp/staging", "state/"))
        }
        for repo, found in outcome.files.items()
    }
    return outcome._replace(files=files)


def is_object(path: Path) -> bool:
    """Tell whether a file lies where a staging directory has its objects."""
    return len(path.parent.name) == len("00") and path.suffix != ".commitmeta"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


@pytest.mark.parametrize("line", TABLE["same"])
def test_line_does_the_same(place: Place, line: str) -> None:
    compare(place, line)


@pytest.mark.parametrize("line", TABLE["counts"])
def test_line_does_the_same_counted_otherwise(place: Place, line: str) -> None:
    compare(place, line, hides_counts=True)


def compare(place: Place, line: str, *, hides_counts: bool = False) -> None:
    """Run a line with both commands and compare all that can be seen."""
    work = place.path.with_name("work")
    theirs, allowed = play(
        place, work, line, lambda *words: run_process(REFERENCE, *words, **LOCALE)
    )
    mine, asked = play(place, work, line, ours)
    if hides_counts:
        mine, theirs = without_counts(mine), without_counts(theirs)
    assert mine.results == theirs.results
    assert mine.objects == theirs.objects
    if any(result.status for result in theirs.results):
        # How far each came before the error depends on the order of arrivals.
        mine, theirs = without_unfinished(mine), without_unfinished(theirs)
        asked.clear()
    assert mine.files == theirs.files
    assert not asked - allowed
