"""Transactions of both commands: what one leaves the other takes over; cleaning; limits; modes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from repo_lab import (
    OURS,
    REFERENCE,
    check_both,
    commit,
    make_repo,
    must,
    object_names,
    ours,
    reference,
    refs_of,
    run_process,
    write_files,
)

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
PROGRAMS = pytest.mark.parametrize("program", [OURS, REFERENCE], ids=["ours", "theirs"])
PAIRS = pytest.mark.parametrize(
    ("first", "second"), [(OURS, REFERENCE), (REFERENCE, OURS)], ids=["ours-theirs", "theirs-ours"]
)


def staging(repo: Path) -> list[Path]:
    return sorted((repo / "tmp").glob("staging-*"))


def fail_before_publishing(program: str, repo: Path, tree: Path, **more: str) -> None:
    result = run_process(program, "commit", f"--repo={repo}", "-b", "failed", tree,
                         OSTREE_REPO_TEST_ERROR="pre-commit", **more)  # fmt: skip
    assert result.status == 1
    assert result.err == "error: OSTREE_REPO_TEST_ERROR_PRE_COMMIT specified\n"


# -- taking over ---------------------------------------------------------------------------------


@PAIRS
@pytest.mark.parametrize("mode", ["archive", "bare", "bare-user"])
def test_staged_objects_are_taken_over_by_the_other(
    tmp_path: Path, mode: str, first: str, second: str
) -> None:
    repo = make_repo(tmp_path / "repo", mode, fsync="true")
    tree = write_files(tmp_path / "tree", {"file": "staged", "dir/other": "staged, too"})
    fail_before_publishing(first, repo, tree)
    (left,) = staging(repo)
    inodes = {path.name: path.stat().st_ino for path in left.rglob("*.file*")}
    assert len(inodes) == 2
    must(run_process(second, "commit", f"--repo={repo}", "-b", "main", tree))
    assert staging(repo) == []
    found = {path.name: path.stat().st_ino for path in (repo / "objects").rglob("*.file*")}
    assert found == inodes
    assert list(refs_of(repo)) == ["heads/main"]
    check_both(repo)


@PAIRS
def test_staged_objects_of_another_boot_are_deleted(
    tmp_path: Path, first: str, second: str
) -> None:
    repo = make_repo(tmp_path / "repo", fsync="true")
    old = write_files(tmp_path / "old", {"file": "old"})
    fail_before_publishing(first, repo, old, OSTREE_BOOTID="an-older-boot")
    (left,) = staging(repo)
    assert left.name.startswith("staging-an-older-boot-")
    new = write_files(tmp_path / "new", {"file": "new"})
    must(run_process(second, "commit", f"--repo={repo}", "-b", "main", new))
    assert staging(repo) == []
    assert len(object_names(repo)) == 4
    check_both(repo)


def test_commit_that_failed_is_not_published_by_the_next(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", "bare-user", fsync="true")
    tree = write_files(tmp_path / "tree", {"dir/file": "shared"})
    commit(repo, "--orphan", tree)  # its objects are here, and nothing keeps them
    fail_before_publishing(OURS, repo, tree)
    must(ours("prune", f"--repo={repo}", "--refs-only"))
    must(ours("commit", f"--repo={repo}", "-b", "main", write_files(tmp_path / "x", {"x": "x"})))
    assert sum(name.endswith(".commit") for name in object_names(repo)) == 1
    check_both(repo)


@PAIRS
def test_staging_directory_in_use_is_left_alone(tmp_path: Path, first: str, second: str) -> None:
    repo = make_repo(tmp_path / "repo", fsync="true")
    fail_before_publishing(first, repo, write_files(tmp_path / "old", {"file": "old"}))
    (left,) = staging(repo)
    with locked(repo / "tmp" / f"{left.name}-lock"):
        new = write_files(tmp_path / "new", {"file": "new"})
        must(run_process(second, "commit", f"--repo={repo}", "-b", "main", new))
        assert left in staging(repo)
    assert len(object_names(repo)) == 4
    must(run_process(second, "commit", f"--repo={repo}", "-b", "main", new))
    assert staging(repo) == []


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an open-file-description lock."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
    try:
        yield
    finally:
        os.close(fd)


# -- cleaning ------------------------------------------------------------------------------------


@pytest.mark.parametrize("expiry", [None, "0", "100", "1000000"])
def test_tmp_is_cleaned_alike(tmp_path: Path, expiry: str | None) -> None:
    tree = write_files(tmp_path / "tree", {"file": "x"})
    left = []
    for program in (OURS, REFERENCE):
        more = {} if expiry is None else {"tmp_expiry_secs": expiry}
        repo = make_repo(tmp_path / "repo", **more)
        litter(repo / "tmp")
        with locked(repo / "tmp/staging-otherboot-used00-lock"):
            must(run_process(program, "commit", f"--repo={repo}", "-b", "main", tree))
        left.append({str(path.relative_to(repo)) for path in (repo / "tmp").rglob("*")})
        shutil.rmtree(repo)
    # By age the reference removes the lock file of a directory in use, and then that, too.
    ours, theirs = ({path for path in paths if "used00" not in path} for paths in left)
    assert ours == theirs
    assert "tmp/future" in left[0]
    assert "tmp/staging-otherboot-used00/ab/file" in left[0]
    assert "tmp/staging-otherboot-left00" not in left[0]


def litter(tmp: Path) -> None:
    """Leave what crashes leave, of several ages."""
    now = time.time()
    for name, age in {"new": 10, "old": 500, "very-old": 100_000, "future": -5000}.items():
        (tmp / f"dir-{name}").mkdir()
        (tmp / f"dir-{name}/below").write_text("x")
        (tmp / f"link-{name}").symlink_to("cache")
        for path in (tmp / name, tmp / f"staging-file-{name}"):
            path.write_text("x")
        for path in tmp.glob(f"*{name}"):
            os.utime(path, (now - age, now - age), follow_symlinks=False)
    (tmp / "cache/below").mkdir(parents=True, exist_ok=True)
    os.utime(tmp / "cache", (0, 0))
    for name in ("used00", "left00"):
        below = tmp / f"staging-otherboot-{name}/ab"
        below.mkdir(parents=True)
        (below / "file").write_text("x")


@PROGRAMS
def test_unchanged_commit_is_skipped_and_leaves_no_lock(tmp_path: Path, program: str) -> None:
    repo = make_repo(tmp_path / "repo", fsync="true")
    tree = write_files(tmp_path / "tree", {"file": "x"})
    first = commit(repo, "-b", "main", tree)
    words = ["commit", f"--repo={repo}", "-b", "main", "--skip-if-unchanged", tree]
    assert must(run_process(program, *words)) == first
    assert [path for path in staging(repo) if path.name.endswith("-lock")] == []
    must(run_process(program, "commit", f"--repo={repo}", "-b", "main", tree))
    assert staging(repo) == []


# -- permissions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", ["077", "002", "000"])
@pytest.mark.parametrize("mode", ["archive", "bare-user"])
def test_permissions_in_the_repository_alike_whatever_the_umask(
    tmp_path: Path, mode: str, umask: str
) -> None:
    tree = write_files(tmp_path / "tree", {"file": "x", "dir/file": "y"})
    found = []
    for program in (OURS, REFERENCE):
        repo = tmp_path / "repo"
        script = f"""umask {umask} && set -e
            {program} init --repo={repo} --mode={mode}
            {program} commit --repo={repo} -b deep/main --timestamp=@5 {tree}
            {program} refs --repo={repo} --create=other deep/main
            {program} refs --repo={repo} --alias --create=alias deep/main
            {program} config --repo={repo} set core.min-free-space-percent 1
            {program} summary --repo={repo} -u"""
        subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True)
        found.append(
            {
                str(path.relative_to(repo)): stat.filemode(path.lstat().st_mode)
                for path in repo.rglob("*")
                if path.name != ".lock" or umask != "077"
            }
        )
        shutil.rmtree(repo)
    assert found[0] == found[1]
    assert found[0]["refs/heads/other"] == "-rw-r--r--"


# -- free space ------------------------------------------------------------------------------------


@ROOT
@pytest.mark.parametrize(
    "setting",
    [{"min_free_space_percent": "50"}, {"min_free_space_size": "3MB"}],
    ids=["percent", "size"],
)
def test_minimum_of_free_space_same_limit(tmp_path: Path, setting: dict[str, str]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    tree = tmp_path / "tree"
    tree.mkdir()
    outcomes: dict[str, list[tuple[int, int, str]]] = {OURS: [], REFERENCE: []}
    for program, seen in outcomes.items():
        for blocks in (0, 1, 2, 3, 4, 5, 6):
            for odd in (-1, 0):
                mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk]
                subprocess.run(mount, check=True)
                try:
                    repo = make_repo(disk / "repo", "bare-user", **setting)
                    config = (repo / "config").read_text()
                    (repo / "config").write_text(
                        config.replace("min-free-space-percent=0\n", "", 1)
                    )
                    free = os.statvfs(repo)
                    budget = free.f_bfree - (3 << 20) // free.f_bsize
                    size = (budget - 4 + blocks) * free.f_bsize + odd
                    (tree / "file").write_bytes(bytes(size))
                    result = run_process(program, "commit", f"--repo={repo}", "-b", "x", tree)
                finally:
                    subprocess.run(["umount", "-l", disk], check=True)
                seen.append((blocks, odd, result.err))
    assert outcomes[OURS] == outcomes[REFERENCE]
    assert {bool(err) for _, _, err in outcomes[OURS]} == {True, False}


# -- locks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", ["0", "1", "none"])
def test_lock_timeout_same_message_and_patience(tmp_path: Path, timeout: str) -> None:
    repo = make_repo(tmp_path / "repo", lock_timeout_secs=timeout)
    tree = write_files(tmp_path / "tree", {"file": "x"})
    commit(repo, "-b", "main", tree)
    with locked(repo / ".lock"):
        for command in (ours, reference):
            started = time.monotonic()
            result = command("commit", f"--repo={repo}", "-b", "main", tree)
            assert time.monotonic() - started >= (1 if timeout == "1" else 0)
            assert result.status == 1
            assert result.err == (
                "error: Locking repo shared failed: Resource temporarily unavailable\n"
            )
    assert refs_of(repo).keys() == {"heads/main"}
