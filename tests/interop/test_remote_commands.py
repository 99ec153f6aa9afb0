"""``remote`` and ``summary``: ours and the reference's say, write and ask the same.

``remote_commands.txt`` has the command lines. Each is run by both commands on copies of one place;
output, status, files and the requests to a server must be the same. What is meant to differ (see
docs/differences.md), and what the installed release does not know yet, is not in the table.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import NamedTuple

import pytest

from gpg_lab import GpgHome, gpg_home
from repo_lab import (
    REFERENCE,
    Result,
    must,
    ours,
    reference,
    run_process,
    walk,
    write_files,
    xattrs_of,
)
from table_lab import LOCALE, USAGE, read_table
from web_lab import Web, serving

TABLE = read_table(Path(__file__).with_name("remote_commands.txt"))
MAKE_PLACE = Path(__file__).with_name("make_remote_place.sh")
PUBLISHED = 1700000000  # what make_remote_place.sh sets
REPOS = (
    *("a", "coll", "deltas", "empty", "parent", "child", "phys", "soft", "broken", "client"),
    *("plain", "signed"),
)
_LAST_MODIFIED = re.compile(rb"(last-modified\0+?.{4}).{8}", re.DOTALL)


class Place(NamedTuple):
    """What every line starts from."""

    path: Path
    web: Web
    keys: GpgHome


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    path = tmp_path_factory.mktemp("remote") / "place"
    write_files(path, {"tree/f": "hi\n", "tree/d/g": "ho\n", "tree2/f": "changed\n", "www": None})
    with gpg_home() as keys, serving(path / "www") as web:
        for number in range(2):
            shutil.copy(keys.armored(number), path)
        shutil.copytree(keys.trusted, path / "trusted")
        (path / "trusted.gpg").write_bytes(
            b"".join(file.read_bytes() for file in sorted(keys.trusted.glob("*.gpg")))
        )
        environment = {**os.environ, **LOCALE, "OSTREE_SUPPRESS_SYNCFS": "1"}
        done = subprocess.run(
            ["sh", "-e", MAKE_PLACE, REFERENCE, web.url],
            cwd=path,
            env={**environment, "GPG_HOME_OF_TEST": str(keys.path)},
            check=False,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        yield Place(path, web, keys)


class Outcome(NamedTuple):
    """All that a line did; requests are sorted, since ours may be at once."""

    results: list[Result]
    requests: list[str]
    files: dict[str, tuple[object, ...]]


def run_line(place: Place, line: str, work: Path, *, is_ours: bool) -> list[Result]:
    """Run the commands of a line in the current directory, which is `work`."""
    results = []
    for command in line.split(" ; "):
        text = command.replace("@HERE@", str(work)).replace("@URL@", place.web.url)
        text = text.replace("=home", f"={place.keys.path}").replace("@NL@", "\n")
        words = shlex.split(text)
        result = ours(*words) if is_ours else run_process(REFERENCE, *words, **LOCALE)
        results.append(normal(result))
    return results


def run_on_copy(place: Place, line: str, *, is_ours: bool, patch: pytest.MonkeyPatch) -> Outcome:
    """Run a line on a new copy of the place."""
    work = place.path.with_name("work")
    patch.chdir("/")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    copied = [name for name in REPOS if re.search(rf"=(www/)?{name}\b", line)]
    if "child" in copied:
        copied.append("parent")
    if "=www/" in line:
        copied = [f"www/{name}" for name in copied]
    others = [name for name in os.listdir(place.path) if name not in {*REPOS, "www"}]
    copy = ["cp", "-a", "--parents", "--", *others, *copied, work]
    subprocess.run(copy, check=True, cwd=place.path)
    patch.chdir(work)
    place.web.log.clear()
    results = run_line(place, line, work, is_ours=is_ours)
    requests = sorted(map(without_now, place.web.log))
    return Outcome(results, requests, dict(files_of(work)))


def normal(result: Result) -> Result:
    """Leave out what may differ: usage texts, the time, what only the newer release says."""
    texts = []
    for text in (result.out, result.err):
        text = USAGE.sub("<usage>\n", text.replace("/usr/bin/", ""))
        text = re.sub(r"While fetching http\S+: (?=Server returned)", "", text)
        text = re.sub(r"(?m)^Summary is unsigned\n", "", text)
        text = re.sub(r"(?s)\nFound 1 signature on the summary:\n.*", "", text)
        text = re.sub("(Initializing sysroot|Opening sysroot repo): ", "", text)
        text = re.sub(r"(sysroot: )Reloading remotes: (Failed to parse \S+: )?", r"\1", text)
        text = re.sub(r"(last-modified'?\)?: ).*?(?=[,>\n])", r"\1<now>", text)
        texts.append(re.sub(r"(?m)^Expires: 20.*", "Expires: <later>", text))
    return Result(result.status, *texts)


def without_now(request: str) -> str:
    """Leave out a time that is not that of the published files."""
    known = formatdate(PUBLISHED, usegmt=True).replace("GMT", "UTC")
    return re.sub(rf"(If-Modified-Since=)(?!{known}).*", r"\1<now>", request)


def files_of(work: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield everything below `work`, without what is the time or a random number."""
    for path in walk(work):
        status = path.lstat()
        name = str(path.relative_to(work))
        if name.endswith("/tmp/cache/summary-made"):
            continue  # what saves time when the summary is made again
        if path.is_symlink() or not path.is_file():
            yield name, (status.st_mode,)
            continue
        is_old = "/summaries/" in name and status.st_mtime == PUBLISHED
        yield name, (status.st_mode, _content(path), xattrs_of(path), is_old)


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".txt":
        return re.sub(rb"\t\d{10}\t", b"\t<later>\t", data)
    if path.suffix == ".filez":
        return b""  # compressors differ
    if path.name.endswith("trustedkeys.gpg"):
        return b""  # the order of its packets is gpg's
    return _LAST_MODIFIED.sub(rb"\1", data) if path.name == "summary" else data


@pytest.mark.parametrize("line", TABLE["read"])
def test_reading_line_says_the_same(
    place: Place, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.path)
    expected = run_line(place, line, place.path, is_ours=False)
    assert run_line(place, line, place.path, is_ours=True) == expected


@pytest.mark.parametrize("line", [*TABLE["write"], *TABLE["remote"]])
def test_line_does_the_same(place: Place, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    expected = run_on_copy(place, line, is_ours=False, patch=monkeypatch)
    found = run_on_copy(place, line, is_ours=True, patch=monkeypatch)
    monkeypatch.chdir("/")
    assert found.results == expected.results
    assert found.requests == expected.requests
    assert found.files == expected.files


# -- what the installed release does not know --------------------------------------------


@pytest.fixture
def client(place: Place, tmp_path: Path) -> Path:
    """A copy of the client; the server's repositories are only read."""
    return Path(shutil.copytree(place.path / "client", tmp_path / "client", symlinks=True))


def test_keys_of_summaries(place: Place, client: Path) -> None:
    local = ("summary", f"--repo={place.path}/www/plain")
    remote = ("remote", "summary", f"--repo={client}", "plain")
    for words in (local, remote):
        assert must(ours(*words, "--list-metadata-keys")).splitlines() == [
            "foo", "n", "ostree.static-deltas", "ostree.summary.collection-map",
            "ostree.summary.indexed-deltas", "ostree.summary.last-modified",
            "ostree.summary.mode", "ostree.summary.tombstone-commits",
        ]  # fmt: skip
        assert must(ours(*words, "--print-metadata-key=foo")) == "'bar'"
        # Numbers are taken for big-endian ones.
        assert must(ours(*words, "--print-metadata-key=n")) == "uint64 72057594037927936"
        when = must(ours(*words, "--print-metadata-key=ostree.summary.last-modified"))
        assert int(when.removeprefix("uint64 ")) > 1700000000
        missing = ours(*words, "--print-metadata-key=none")
        assert missing == Result(1, "", "error: No such metadata key 'none'\n")


def test_one_action_is_taken(place: Place) -> None:
    words = ("summary", f"--repo={place.path}/www/plain")
    both = ("--list-metadata-keys", "--print-metadata-key=foo")
    assert must(ours(*words, *both)).startswith("foo\nn\n")
    assert must(ours(*words, *both, "--view")).startswith("* alias\n")
    assert must(ours(*words, *both, "--raw")).startswith("([('alias', ")


def test_refs_with_commits(place: Place, client: Path) -> None:
    main = must(reference("rev-parse", f"--repo={place.path}/a", "main"))
    lines = must(ours("remote", "refs", f"--repo={client}", "-r", "plain")).splitlines()
    assert f"plain:main\t{main}" in lines
    assert f"plain:é/ü\t{main}" in lines
    assert lines == sorted(lines)


def test_signatures_of_the_local_summary(place: Place) -> None:
    unsigned = must(ours("summary", f"--repo={place.path}/www/plain", "-v"))
    assert unsigned.endswith(
        "(ostree.summary.collection-map): (printed above)\nSummary is unsigned"
    )
    signed = must(
        ours("summary", f"--repo={place.path}/www/signed", "-v", f"--gpg-homedir={place.keys.path}")
    )
    assert "\n\nFound 1 signature on the summary:\n\n  Signature made " in signed
    assert signed.endswith('\n  Good signature from "Ostree Tester <test@test.com>"')


def test_signing_with_an_unknown_key_leaves_the_old_pair(place: Place, tmp_path: Path) -> None:
    repo = Path(shutil.copytree(place.path / "www/signed", tmp_path / "signed", symlinks=True))
    before = [(repo / name).read_bytes() for name in ("summary", "summary.sig")]
    options = ("--gpg-sign=NOSUCHKEY", f"--gpg-homedir={place.keys.path}")
    failed = ours("summary", f"--repo={repo}", "-u", *options)
    assert failed.err.startswith("error: No gpg key found with ID NOSUCHKEY (homedir: ")
    assert [(repo / name).read_bytes() for name in ("summary", "summary.sig")] == before


def test_unusual_names_of_engines_are_refused(place: Place, tmp_path: Path) -> None:
    repo = Path(shutil.copytree(place.path / "empty", tmp_path / "empty"))
    failed = ours("summary", f"--repo={repo}", "-u", "--sign=x", "--sign-type=nosuch")
    assert failed == Result(1, "", "error: Requested signature type is not implemented\n")
