"""What both commands tell the journal: the same messages with the same fields."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import sysroot_lab
from gpg_lab import KEYS, gpg_home
from journal_lab import Journaled, run_with_journal
from repo_lab import OURS, REFERENCE, commit, make_repo, must, ours

COMMANDS = (REFERENCE, OURS)

Entry = list[tuple[str, str]]


@pytest.fixture
def url(tmp_path: Path, reference_httpd: str) -> str:
    """The URL of a signed repository with two refs."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(bytes(2000))
    repo = make_repo(tmp_path / "www/repo")
    with gpg_home() as gpg:
        for ref in ("main", "dev"):
            commit(repo, "-b", ref, f"--tree=dir={tree}", *gpg.options(KEYS[0]))
        must(ours("summary", f"--repo={repo}", "-u", *gpg.options(KEYS[0])))
        (tmp_path / "key.asc").write_bytes(gpg.armored(0).read_bytes())
    return f"{reference_httpd}/repo"


def _pull(path: Path, command: str, url: str, remote: list[str], wanted: list[str]) -> Journaled:
    repo = make_repo(path, "bare-user")
    key = path.parent / "key.asc"
    must(ours("remote", "add", f"--repo={repo}", f"--gpg-import={key}", *remote, "origin", url))
    words = [f"--repo={repo}", "pull", "--network-retries=0", *wanted]
    return run_with_journal(command, *words, OSTREE_SUPPRESS_SYNCFS="1")


@pytest.mark.parametrize(
    ("remote", "wanted"),
    [
        ([], ["origin", "main"]),
        (["--no-gpg-verify"], ["origin", "main", "dev"]),
        (["--set=gpg-verify-summary=true"], ["--mirror", "origin"]),
        (["--set=gpg-verify-summary=true", "--set=gpg-verify=false"], ["origin", "dev"]),
        (["--set=tls-permissive=true"], ["origin", "main"]),
        (["--set=tls-ca-path=/etc/ssl/certs/ca-certificates.crt"], ["origin", "main"]),
    ],
    ids=["one", "two", "mirror", "summary-only", "permissive", "pinned"],
)
def test_pull_tells_the_same(
    tmp_path: Path, url: str, remote: list[str], wanted: list[str]
) -> None:
    theirs, mine = [
        _pull(tmp_path / f"client{number}", command, url, remote, wanted)
        for number, command in enumerate(COMMANDS)
    ]

    assert len(theirs.entries) == 1, theirs
    assert mine.entries == theirs.entries


def test_pull_from_this_machine_tells_nothing(tmp_path: Path, url: str) -> None:
    for number, command in enumerate(COMMANDS):
        words = (f"file://{tmp_path}/www/repo", [], ["origin", "main"])
        done = _pull(tmp_path / f"client{number}", command, *words)
        assert (done.status, done.entries) == (0, []), command


@pytest.mark.parametrize("is_up", [True, False], ids=["not there", "no server"])
def test_pull_that_fails_tells_which_url(tmp_path: Path, url: str, *, is_up: bool) -> None:
    broken = f"{url}/missing" if is_up else "http://127.0.0.1:1/x"
    theirs, mine = [
        _pull(tmp_path / f"client{number}", command, broken, [], ["origin", "main"])
        for number, command in enumerate(COMMANDS)
    ]

    assert theirs.status == mine.status == 1
    assert len(theirs.entries) == 1, theirs
    assert _without_endings(mine.entries) == _without_endings(theirs.entries)


def _without_endings(entries: list[Entry]) -> set[tuple[tuple[str, str], ...]]:
    # Of the summary and its signature, which we ask for at once, either may fail, or both.
    return {
        tuple((key, text.replace("summary.sig", "summary")) for key, text in entry)
        for entry in entries
    }


@contextmanager
def _sysroot(command: str) -> Iterator[tuple[sysroot_lab.Lab, Path]]:
    with sysroot_lab.scratch() as root:
        lab = sysroot_lab.Lab(root, Path(command))
        lab.commit()
        sysroot = lab.make_sysroot("sysroot", Path(command))
        lab.pull(sysroot)
        yield lab, sysroot


def _admin(command: str, sysroot: Path, *words: str) -> Journaled:
    environment = sysroot_lab.environment(OSTREE_SYSROOT=str(sysroot))
    return run_with_journal(command, "admin", *words, **environment)


def _deployments(command: str) -> list[list[Entry]]:
    """Deploy, change ``/etc``, deploy beside it, remove; return the entries of each step."""
    told = []
    with _sysroot(command) as (lab, sysroot):

        def admin(*words: str) -> None:
            entries = _admin(command, sysroot, *words).entries
            # Those without an ID came after the release that we compare with.
            told.append([entry for entry in entries if "MESSAGE_ID" in dict(entry)])

        admin("deploy", "--os=testos", sysroot_lab.BRANCH)
        [etc] = sysroot.glob("ostree/deploy/testos/deploy/*.0/etc")
        (etc / "added").write_text("x")
        lab.commit()
        lab.pull(sysroot)
        admin("deploy", "--os=testos", sysroot_lab.BRANCH)
        admin("deploy", "--os=testos", "--not-as-default", sysroot_lab.BRANCH)
        admin("undeploy", "1")
        config = sysroot / "ostree/repo/config"
        config.write_text(f"{config.read_text()}\n[sysroot]\nbootloader=none\n")
        admin("deploy", "--os=testos", sysroot_lab.BRANCH)
    return told


def test_deployments_tell_the_same() -> None:
    theirs, mine = [_deployments(command) for command in COMMANDS]

    assert [len(step) for step in theirs] == [2, 2, 2, 1, 2]
    assert mine == theirs


def test_deployments_tell_what_takes_long_what_is_left_out_and_what_is_freed() -> None:
    with _sysroot(OURS) as (lab, sysroot):
        _admin(OURS, sysroot, "deploy", "--os=testos", sysroot_lab.BRANCH)
        [etc] = sysroot.glob("ostree/deploy/testos/deploy/*.0/etc")
        (etc / "sub").mkdir()
        os.mkfifo(etc / "sub/pipe")
        must(ours("config", f"--repo={sysroot}/ostree/repo", "set", "core.fsync", "true"))
        lab.write_tree({"usr/share/new": "x" * 5000})
        lab.commit()
        lab.pull(sysroot)
        messages = _admin(OURS, sysroot, "deploy", "--os=testos", sysroot_lab.BRANCH).messages
        must(ours("refs", f"--repo={sysroot}/ostree/repo", "--delete", "testos:testos"))
        freed = _admin(OURS, sysroot, "undeploy", "0").messages[-1]

    texts = [re.sub(r"in \d+ ms", "in N ms", message) for message in messages]
    assert texts == [
        "Copying /etc changes: 0 modified, 0 removed, 2 added",
        "Ignoring non-regular/non-symlink file found during /etc merge: sub/pipe",
        "Starting syncfs for system repo",
        "Completed syncfs() for system repo in N ms",
        "Starting freeze/thaw cycle for boot",
        "Completed freeze/thaw cycle for boot in N ms",
        "Starting freeze/thaw cycle for boot",
        "Completed freeze/thaw cycle for boot in N ms",
        messages[-1],
    ]
    assert messages[-1].startswith("Transaction complete; ")
    assert re.fullmatch(r"Freed objects: [\d.]+\xa0kB", freed)
