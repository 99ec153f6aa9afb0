"""Sweeping beside a helper process gives what sweeping alone gives."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pyostree.errors import OstreeError
from pyostree.formats.objects import Checksum
from pyostree.repo import processes, sweep
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo
from pyostree.repo.traverse import Reachable

MANY = 400


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every sweep is large enough for a helper; the list gets an entry for each."""
    made: list[int] = []
    fork = os.fork

    def counted() -> int:
        made.append(os.getpid())
        return fork()

    monkeypatch.setattr(processes, "worker_count", lambda: 2)
    monkeypatch.setattr(processes.threading, "active_count", lambda: 1)
    monkeypatch.setattr(sweep, "_SHARED_FROM_FILES", 0)
    monkeypatch.setattr(os, "fork", counted)
    return made


def _fill(repo: Path) -> list[str]:
    with Repo.create(str(repo), RepoMode.BARE_USER_ONLY):
        pass
    names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(MANY)]
    for number, name in enumerate(names):
        path = repo / "objects" / name[:2] / f"{name[2:]}.file"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(number))
    return names


def _left(repo: Path) -> set[str]:
    return {path.parent.name + path.stem for path in repo.glob("objects/*/*.file")}


@pytest.mark.parametrize("no_prune", [False, True])
def test_only_what_is_not_needed_goes_and_all_is_counted(
    tmp_path: Path, forks: list[int], no_prune: bool
) -> None:
    names = _fill(tmp_path / "repo")
    kept = names[::3]
    with Repo.open(str(tmp_path / "repo")) as repo:
        reachable = Reachable(repo)
        reachable.files.update([Checksum.fromhex(name) for name in kept])
        result = sweep.sweep(repo, reachable, no_prune=no_prune)
    assert forks == [os.getpid()]
    freed = sum(number for number in range(MANY) if number % 3)
    assert result == sweep.PruneResult(MANY, MANY - len(kept), freed)
    assert _left(tmp_path / "repo") == set(names if no_prune else kept)


def test_an_object_that_cannot_be_deleted_is_named(tmp_path: Path, forks: list[int]) -> None:
    names = _fill(tmp_path / "repo")
    for name in names:
        path = tmp_path / "repo/objects" / name[:2] / f"{name[2:]}.file"
        path.unlink()
        path.mkdir()  # in place of a file
    with (
        Repo.open(str(tmp_path / "repo")) as repo,
        pytest.raises((OSError, OstreeError)) as caught,
    ):
        sweep.sweep(repo, Reachable(repo))
    assert any(name in note for note in caught.value.__notes__ for name in names)
