"""No name before its data: the calls of real processes, replayed on a model of a disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from fault.trace import Disk, replayed
from repo_lab import MODES, OURS, commit, make_repo, must, ours, write_files
from sign_lab import ed25519_pair


class Place(NamedTuple):
    root: Path
    repo: Path
    tree: Path

    def run(self, *words: str | Path) -> Disk:
        return replayed(self.root / "log", self.repo, OURS, words[0], f"--repo={self.repo}",
                        *words[1:])  # fmt: skip


def make_place(root: Path, mode: str, **settings: str) -> Place:
    repo = make_repo(root / "repo", mode, **{"fsync": "true", **settings})
    files = {f"d{number % 5}/{number}": f"{number}" * 300 for number in range(60)}
    tree = write_files(root / "tree", {**files, "large": os.urandom(600_000)})
    (tree / "link").symlink_to("large")
    return Place(root, repo, tree)


def objects_in(disk: Disk) -> list[str]:
    return [name for _, name in disk.diary if name.startswith("objects/")]


def order_of(disk: Disk, part: str) -> list[int]:
    return [when for when, name in disk.diary if part in name]


COMMIT = ("commit", "-b", "deep/er/main", "--add-detached-metadata-string=a=b")


@pytest.mark.parametrize("per_object", ["false", "true"], ids=["at-the-end", "each"])
@pytest.mark.parametrize("mode", MODES)
def test_commit_gives_no_name_before_the_data_is_synced(
    tmp_path: Path, mode: str, per_object: str
) -> None:
    place = make_place(tmp_path, mode, per_object_fsync=per_object)
    disk = place.run(*COMMIT, place.tree)
    assert len(objects_in(disk)) > 60
    assert [name for name in disk.unsynced if not name.startswith("tmp/")] == []
    check_commit_and_ref_are_last(disk)


def check_commit_and_ref_are_last(disk: Disk) -> None:
    (ref,) = order_of(disk, "refs/heads/deep/er/main")
    (made,) = order_of(disk, ".commit")[-1:]
    assert max(order_of(disk, "objects/")) == made < ref
    before_ref = disk.names_at["refs/heads/deep/er/main"]
    assert not [name for name in before_ref if name.startswith("objects/")]
    left = [name.removeprefix(disk.root) for name in disk.unsynced_names]
    assert not [name for name in left if name.startswith(("/objects/", "/refs/"))]


def test_commit_is_named_when_all_that_it_consists_of_has_synced_names(tmp_path: Path) -> None:
    place = make_place(tmp_path, "archive")
    disk = place.run(*COMMIT, place.tree)
    (made,) = (name for name in objects_in(disk) if name.endswith(".commit"))
    unsynced = {name for name in disk.names_at[made] if name.startswith("objects/")}
    assert not unsynced


@pytest.mark.parametrize("how", ["config", "option"])
def test_commit_without_fsync_syncs_nothing_and_the_ref_is_last(tmp_path: Path, how: str) -> None:
    place = make_place(tmp_path, "archive", fsync="false" if how == "config" else "true")
    option = ["--fsync=false"] if how == "option" else []
    disk = place.run(*COMMIT, *option, place.tree)
    assert disk.syncs == 0
    assert max(order_of(disk, "objects/")) < min(order_of(disk, "refs/"))
    assert disk.unsynced, "the model sees what is not synced"


@pytest.mark.parametrize("source_mode", ["archive", "bare-user"])
def test_pull_local_gives_no_name_before_the_data_is_synced(
    tmp_path: Path, source_mode: str
) -> None:
    place = make_place(tmp_path, "archive")
    source = make_repo(tmp_path / "source", source_mode)
    commit(source, "-b", "deep/er/main", place.tree)
    disk = place.run("pull-local", source)
    assert len(objects_in(disk)) > 60
    assert [name for name in disk.unsynced if not name.startswith(("tmp/", "state/"))] == []
    check_commit_and_ref_are_last(disk)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("refs --create=a/new main", "refs/heads/a/new"),
        ("refs --force --create=other main", "refs/heads/other"),
        ("reset main main^", "refs/heads/main"),
        ("config set core.x y", "config"),
        ("summary -u", "summary"),
        (f"summary -u --sign={ed25519_pair().secret}", "summary.sig"),
    ],
)
def test_single_files_are_synced_before_their_names(tmp_path: Path, words: str, name: str) -> None:
    place = make_place(tmp_path, "archive")
    for _ in range(2):
        commit(place.repo, "-b", "main", place.tree)
    must(ours("refs", f"--repo={place.repo}", "--create=other", "main^"))
    disk = place.run(*words.split())
    assert name in [found for _, found in disk.diary]
    assert disk.syncs >= 2
    assert [found for found in disk.unsynced if not found.startswith("tmp/")] == []
    assert f"{disk.root}/{name}" not in disk.unsynced_names
