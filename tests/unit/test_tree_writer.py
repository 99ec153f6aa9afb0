"""Lines of a whole tree, in order, whoever makes them and whatever breaks."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pyostree.cli import tree_writer
from pyostree.formats.objects import loose_path
from pyostree.repo import processes
from pyostree.repo.repo import Repo
from pyostree.repo.tree import CommitTree
from repo_lab import commit, make_repo, must, ours, write_files

DIRECTORIES = 40


@pytest.fixture(params=[False, True], ids=["alone", "helped"])
def repo(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tree_writer, "_BATCH_ENTRIES", 4)
    monkeypatch.setattr(tree_writer, "_MAX_WAITING", 3)
    monkeypatch.setattr(processes, "worker_count", lambda: 3 if request.param else 1)
    if request.param and threading.active_count() > 1:
        monkeypatch.setattr(processes.threading, "active_count", lambda: 1)
    names = {f"d{n:02}/file{n}": f"{n}" for n in range(DIRECTORIES)}
    tree = write_files(tmp_path / "tree", {"top": "top", **names, "d05/sub/x": "x"})
    path = make_repo(tmp_path / "repo", "archive")
    commit(path, "-b", "main", "--canonical-permissions", tree)
    return path


def listed(repo: Path) -> list[str]:
    result = ours("ls", f"--repo={repo}", "-R", "main")
    return [line.rpartition(" ")[2] for line in result.out.splitlines()]


def expected_paths() -> list[str]:
    paths = ["/", "/top"]
    for number in range(DIRECTORIES):
        paths += [f"/d{number:02}", f"/d{number:02}/file{number}"]
        paths += ["/d05/sub", "/d05/sub/x"] if number == 5 else []
    return paths


def test_all_lines_in_order(repo: Path) -> None:
    assert listed(repo) == expected_paths()


def test_damaged_file_ends_the_list_just_before_it(repo: Path) -> None:
    with Repo.open(repo) as opened:
        tree = CommitTree(opened, opened.resolve("main"))
        found = tree.look_up_content("/d20/file20")
    (repo / "objects" / loose_path(found.checksum, "filez")).write_bytes(b"")
    paths = expected_paths()
    assert listed(repo) == paths[: paths.index("/d20/file20")]
    assert ours("ls", f"--repo={repo}", "-R", "main").status == 1


def test_missing_dirtree_ends_the_list_after_what_comes_before(repo: Path) -> None:
    line = must(ours("ls", f"--repo={repo}", "-dC", "main", "/d20")).split()
    (repo / "objects" / line[4][:2] / f"{line[4][2:]}.dirtree").unlink()
    paths = expected_paths()
    assert listed(repo) == paths[: paths.index("/d20")]
    assert "No such metadata object" in ours("ls", f"--repo={repo}", "-R", "main").err
