"""A prune or a check that deletes, cut off at any system call: nothing needed is lost, the next
run gets to the same end."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fault.power import every_cut, power_cut
from pyostree.errors import CancelledError, OstreeError
from pyostree.progress import Cancel, Phase, Progress, watch_with
from pyostree.repo import prune as prune_module
from pyostree.repo.fsck import FsckOptions, fsck
from pyostree.repo.prune import PruneOptions, prune
from pyostree.repo.repo import Repo
from repo_lab import (
    copy_tree,
    make_repo,
    must,
    object_names,
    ours,
    reference,
    write_files,
)

KEEP_TIP = PruneOptions(refs_only=True, depth=0)


class Silent:
    """Listens to a check and forgets."""

    def begin(self, step: str) -> None: ...
    def find(self, problem: str) -> None: ...
    def note(self, text: str) -> None: ...
    def progress(self, done: int, total: int) -> None: ...


@pytest.fixture(scope="module", params=["archive", "bare-user-only"])
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make three commits that leave tombstones, marks, detached metadata and a delta behind."""
    top = tmp_path_factory.mktemp("history")
    repo = make_repo(top / "repo", request.param, tombstone_commits="true")
    for number in range(3):
        tree = write_files(top / "tree", {"file": f"{number}", "same": "s", "dir/a": f"a{number}"})
        must(ours("commit", f"--repo={repo}", "-b", "main", f"--timestamp=@{number}",
                  "--add-detached-metadata-string=k=v", tree))  # fmt: skip
    first = must(ours("rev-parse", f"--repo={repo}", "main^^"))
    (repo / f"state/{first}.commitpartial").touch()
    must(reference("static-delta", "generate", f"--repo={repo}", "--empty", "main^"))
    return repo


def state_of(repo: Path) -> dict[str, bytes]:
    """Return all that the repository consists of, without what differs from run to run."""
    found = {}
    for path in sorted(repo.rglob("*")):
        name = str(path.relative_to(repo))
        if path.is_file() and not name.startswith(("tmp/", ".lock")):
            found[name] = path.read_bytes()
    return found


def cuts(history: Path, tmp_path: Path, run: Callable[[Repo], object]) -> Iterator[Path]:
    """Yield a copy of the repository after each cut in `run`; the last one had none."""
    for number in every_cut():
        repo = copy_tree(history, tmp_path / "copy")
        with power_cut(before_call=number) as power, Repo.open(repo) as opened:
            run(opened)
        yield repo
        shutil.rmtree(repo)
        if not power.was_cut:
            assert number > 4, "the test cuts nothing off"
            return


def finished(history: Path, tmp_path: Path, run: Callable[[Repo], object]) -> dict[str, bytes]:
    """Return what is there in the end when nothing goes wrong."""
    repo = copy_tree(history, tmp_path / "whole")
    with Repo.open(repo) as opened:
        run(opened)
    return state_of(repo)


def test_prune_cut_anywhere_keeps_the_branch_and_is_completed(
    history: Path, tmp_path: Path
) -> None:
    def run(repo: Repo) -> None:
        prune(repo, KEEP_TIP)

    expected = finished(history, tmp_path, run)
    for repo in cuts(history, tmp_path, run):
        must(reference("fsck", f"--repo={repo}", "-q"))
        must(ours("ls", "-R", f"--repo={repo}", "main"))
        with Repo.open(repo) as opened:
            run(opened)
        left = {name: data for name, data in state_of(repo).items() if name in expected}
        assert left == expected
        extra = state_of(repo).keys() - expected.keys()
        # Marks and detached metadata of a commit go after it: a cut between leaves a few bytes.
        assert [
            name for name in extra if not name.endswith((".commitpartial", ".commitmeta"))
        ] == []


def test_delete_commit_cut_anywhere_has_deleted_or_not(history: Path, tmp_path: Path) -> None:
    middle = must(ours("rev-parse", f"--repo={history}", "main^"))

    def run(repo: Repo) -> None:
        prune_module.delete_commit(repo, middle)

    for repo in cuts(history, tmp_path, run):
        must(reference("fsck", f"--repo={repo}", "-q"))
        object_path = repo / f"objects/{middle[:2]}/{middle[2:]}"
        assert object_path.with_suffix(".commit").exists() or (
            object_path.with_suffix(".tombstone-commit").exists()
        )


def damaged(history: Path, tmp_path: Path) -> Path:
    """Return a copy in which a file, a directory and a directory's metadata are not what they
    should be, each of another commit."""
    repo = copy_tree(history, tmp_path / "damaged")
    shutil.rmtree(repo / "deltas")
    for path, column in (("/file", 4), ("/dir", 4), ("/dir", 5)):
        rev = "main" if column == 4 else "main^"
        listed = must(ours("ls", f"--repo={repo}", "-dC", rev, path))
        checksum = listed.split()[column]
        (target,) = [
            one
            for one in (repo / f"objects/{checksum[:2]}").glob(f"{checksum[2:]}.*")
            if one.suffix in (".file", ".filez", ".dirtree", ".dirmeta")
        ]
        target.chmod(0o644)
        target.write_bytes(target.read_bytes()[:-2] + b"xx")
    return repo


def test_fsck_delete_cut_anywhere_is_completed(history: Path, tmp_path: Path) -> None:
    source = damaged(history, tmp_path)

    def run(repo: Repo) -> None:
        fsck(repo, FsckOptions(delete=True), Silent())

    def complete(repo: Repo) -> None:
        with pytest.raises(OstreeError, match="corruption"):
            run(repo)

    expected = finished(source, tmp_path, complete)
    marks = [name for name in expected if name.endswith(".commitpartial")]
    assert len(marks) == 3
    deleted = object_names(source) - object_names(tmp_path / "whole")
    assert len(deleted) == 3
    for repo in cuts(source, tmp_path, run_ignoring_corruption(run)):
        with Repo.open(repo) as opened:
            complete(opened)
        assert state_of(repo) == expected


def run_ignoring_corruption(run: Callable[[Repo], object]) -> Callable[[Repo], None]:
    def ignoring(repo: Repo) -> None:
        with pytest.raises((OstreeError, OSError)):
            run(repo)

    return ignoring


def test_fsck_add_tombstones_cut_anywhere_is_completed(history: Path, tmp_path: Path) -> None:
    source = copy_tree(history, tmp_path / "source")
    first = must(ours("rev-parse", f"--repo={source}", "main^^"))
    (source / f"objects/{first[:2]}/{first[2:]}.commit").unlink()
    (source / f"state/{first}.commitpartial").unlink()

    def run(repo: Repo) -> None:
        fsck(repo, FsckOptions(add_tombstones=True), Silent())

    middle = must(ours("rev-parse", f"--repo={history}", "main^"))
    stem = f"{middle[:2]}/{middle[2:]}"
    for repo in cuts(source, tmp_path, run):
        assert object_names(repo) & {f"{stem}.commit", f"{stem}.tombstone-commit"}
        # Not repeated here: as in the reference, the next run takes the next child.
        must(ours("ls", "-R", f"--repo={repo}", "main"))


# -- cancelled -----------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.SCAN, Phase.DELETE])
def test_prune_cancelled_in_any_phase_leaves_whole_commits(
    history: Path, tmp_path: Path, phase: Phase
) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    cancel = Cancel()
    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        if progress.phase is phase:
            cancel.cancel()

    with Repo.open(repo) as opened:
        with pytest.raises(CancelledError):
            prune(opened, KEEP_TIP, watch_with(watch, cancel))
        must(reference("fsck", f"--repo={repo}", "-q"))
        result = prune(opened, KEEP_TIP, watch_with(seen.append))
    assert result.total > 0
    totals = [progress for progress in seen if progress.phase is Phase.DELETE]
    assert totals[-1].is_finished
    assert totals[-1].done == totals[-1].total


@pytest.mark.parametrize("phase", [Phase.SCAN, Phase.CHECK])
def test_fsck_cancelled_changes_nothing(history: Path, tmp_path: Path, phase: Phase) -> None:
    repo = copy_tree(damaged(history, tmp_path), tmp_path / "repo")
    before = state_of(repo)
    cancel = Cancel()

    def watch(progress: Progress) -> None:
        if progress.phase is phase:
            cancel.cancel()

    with Repo.open(repo) as opened, pytest.raises(CancelledError):
        fsck(opened, FsckOptions(delete=True), Silent(), watch_with(watch, cancel))
    assert state_of(repo) == before


# -- errors of the machine rather than of an object ----------------------------------------------


def test_fsck_delete_spares_what_it_may_not_read(
    history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    really_open = os.open
    extension = ".filez" if (repo / "config").read_text().find("archive") >= 0 else ".file"

    def forbidden(path: str, flags: int, *args: int, **options: int | None) -> int:
        if str(path).endswith(extension):
            raise PermissionError(errno.EACCES, "Permission denied")
        return really_open(path, flags, *args, **options)

    before = object_names(repo)
    monkeypatch.setattr(os, "open", forbidden)
    result = ours("fsck", f"--repo={repo}", "--delete")
    monkeypatch.undo()
    assert result.status == 1
    assert "Permission denied" in result.err
    assert object_names(repo) == before
    assert len(list((repo / "state").iterdir())) == 1


def test_prune_deletes_nothing_needed_when_reading_fails_anywhere(
    history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_read = os.read
    for number in every_cut():
        repo = copy_tree(history, tmp_path / "repo")
        left = number

        def failing(fd: int, size: int) -> bytes:
            nonlocal left
            left -= 1
            if left == 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return really_read(fd, size)

        with Repo.open(repo) as opened, monkeypatch.context() as patch:
            patch.setattr(os, "read", failing)
            with suppress(OSError):
                prune(opened, KEEP_TIP)
        must(reference("fsck", f"--repo={repo}", "-q"))
        must(ours("ls", "-R", f"--repo={repo}", "main"))
        shutil.rmtree(repo)
        if left > 0:
            assert number > 4
            break
