"""Eight writers, pruners and publishers in one repository at once; left alone, and killed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from repo_lab import OURS, REFERENCE, make_repo, must, ours, write_files
from stress.crowd import Crowd, SharingWriter, Writer, check_leftovers, check_repository

pytestmark = [pytest.mark.serial, pytest.mark.slow]

# CI takes a minute for all modes together; for a longer look at each, set these.
SECONDS = float(os.environ.get("STRESS_SECONDS", "30"))
KILLS = int(os.environ.get("STRESS_KILLS", "100"))
WRITERS = 8


def crowded_repo(path: Path, mode: str) -> Path:
    settings = {"fsync": "true", "lock_timeout_secs": "60"}
    return make_repo(path, mode, **settings)


def check(crowd: Crowd, writers: list[Writer], root: Path) -> None:
    assert not crowd.failures, "\n".join(crowd.failures)
    for writer in writers:
        writer.check()
    check_leftovers(crowd.repo, write_files(root / "last", {"file": "x"}))
    check_repository(crowd.repo)
    for writer in writers:
        writer.check()
        if writer.history:
            check_last_tree(crowd.repo, writer, root / "out")


def check_last_tree(repo: Path, writer: Writer, out: Path) -> None:
    must(ours("checkout", f"--repo={repo}", "-U", writer.name, out))
    files = sorted(path.relative_to(out) for path in out.rglob("*"))
    assert len(files) > 20
    assert (out / "own").read_text().startswith(f"{writer.name} ")
    shutil.rmtree(out)


@pytest.mark.parametrize("mode", ["archive", "bare-user"])
def test_writers_and_pruners_of_both_programs_all_commits_stay_whole(
    tmp_path: Path, mode: str
) -> None:
    crowd = Crowd(crowded_repo(tmp_path / "repo", mode), seed=1)
    programs = [OURS] * (WRITERS - 4) + [REFERENCE] * 2
    writers = [
        Writer(crowd, tmp_path, f"writer{number}", program)
        for number, program in enumerate(programs)
    ]
    sharing = [SharingWriter(crowd, tmp_path, f"sharing{number}", "shared") for number in range(2)]
    chance = crowd.random("others")

    def prune() -> None:
        crowd.prune(chance, OURS)
        crowd.must(chance, OURS, "summary", "-u")
        crowd.prune(chance, REFERENCE)

    def is_enough() -> bool:
        is_told = all(writer.history for writer in writers) and all(one.told for one in sharing)
        return is_told and min(crowd.prunes.values()) >= 2

    everybody = (*writers, *sharing)
    crowd.run([*(one.work for one in everybody), prune], seconds=SECONDS, until=is_enough)
    check(crowd, writers, tmp_path)
    for one in sharing:
        one.check()


@pytest.mark.parametrize("mode", ["archive", "bare-user"])
def test_killed_at_random_moments_all_told_commits_stay_whole(tmp_path: Path, mode: str) -> None:
    crowd = Crowd(crowded_repo(tmp_path / "repo", mode), seed=2, death_rate=0.7)
    writers = [Writer(crowd, tmp_path, f"writer{number}", OURS) for number in range(WRITERS)]
    chance = crowd.random("others")

    # No writers of the reference here: what a killed one left, it publishes as it is.
    def prune() -> None:
        for _ in range(3):
            crowd.prune(chance, OURS)
        crowd.must(chance, OURS, "summary", "-u")
        crowd.prune(chance, REFERENCE)

    def is_enough() -> bool:
        return crowd.kills >= KILLS and min(crowd.prunes.values()) >= 1

    crowd.run([*(writer.work for writer in writers), prune], seconds=0, until=is_enough)
    check(crowd, writers, tmp_path)
