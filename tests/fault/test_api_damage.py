"""Whatever is damaged on the disk, the library's calls give errors of its own, or results."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pyostree import (
    CheckoutOptions,
    CommitModifier,
    MemoryTree,
    OstreeError,
    PruneOptions,
    Repo,
    RepoMode,
    TreeSource,
)

ROUNDS = 60


def damage(data: bytes, dice: random.Random) -> bytes:
    bad = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        match dice.randrange(4):
            case 0 if bad:
                del bad[dice.randrange(len(bad)) :]
            case 1:
                bad += dice.randbytes(2)
            case _ if bad:
                bad[dice.randrange(len(bad))] = dice.randrange(256)
    return bytes(bad)


@pytest.mark.parametrize("mode", [RepoMode.ARCHIVE, RepoMode.BARE_USER, RepoMode.BARE])
def test_damaged_objects_give_errors_of_the_library(tmp_path: Path, mode: RepoMode) -> None:
    dice = random.Random(f"{mode}")
    tree = MemoryTree()
    tree.add_file("d/f", dice.randbytes(300), xattrs={"user.a": b"1"})
    tree.add_symlink("l", "d/f")
    with Repo.create(tmp_path / "repo", mode) as repo:
        repo.disable_fsync()
        repo.commit(tree, "other")
        tree.add_file("g", b"")
        repo.commit(tree, "main")
        objects = [
            path
            for path in sorted((tmp_path / "repo/objects").glob("*/*"))
            if not path.is_symlink()
        ]
        for number in range(ROUNDS):
            path = dice.choice(objects)
            good = path.read_bytes()
            attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
            path.write_bytes(damage(good, dice))
            for name, value in attributes.items():
                os.setxattr(path, name, dice.choice([value, damage(value, dice)]))
            for call in calls(repo, tmp_path / f"out-{number}"):
                with suppress(OstreeError, OSError):
                    call()
            path.write_bytes(good)
            for name, value in attributes.items():
                os.setxattr(path, name, value)
            for mark in (tmp_path / "repo/state").iterdir():
                mark.unlink()
        repo.prune(PruneOptions(refs_only=True))
        assert repo.list_refs().keys() >= {"main", "other"}


def calls(repo: Repo, place: Path) -> list[Callable[[], object]]:
    as_user = CheckoutOptions(user_mode=True)
    return [
        lambda: repo.view("main").read_bytes("d/f"),
        lambda: list(repo.view("main").walk()),
        lambda: list(repo.history("main")),
        lambda: repo.diff("main", "other"),
        lambda: repo.fsck(),
        lambda: repo.prune(PruneOptions(no_prune=True, refs_only=True)),
        lambda: repo.checkout("main", place, as_user),
        lambda: repo.export("main", place.with_suffix(".tar")),
        lambda: repo.commit(TreeSource("ref", "main"), modifier=CommitModifier(owner_uid=1)),
    ]
