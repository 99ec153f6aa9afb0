"""Prune and fsck of repositories with joined histories, several refs, and many objects."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from pyostree.formats.objects import ObjectName, ObjectType, parse_checksum
from pyostree.repo.repo import Repo
from pyostree.repo.users import ObjectUsers
from repo_lab import (
    OURS,
    REFERENCE,
    commit,
    copy_tree,
    make_repo,
    must,
    object_names,
    ours,
    reference,
    run_process,
    write_files,
)

sys.path.insert(0, str(Path(__file__).parents[2]))
from bench.synthetic import make_history, make_objects

DAY_S = 86400
START = 1_700_000_000
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="objects of many owners need root")


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make ten commits in a row with refs of three kinds on several of them."""
    top = tmp_path_factory.mktemp("joined")
    repo = make_repo(top / "repo")
    for number in range(10):
        tree = write_files(top / "tree", {"file": f"{number}", "dir/same": "s"})
        when = f"--timestamp=@{START + number * DAY_S}"
        must(ours("commit", f"--repo={repo}", "-b", "main", when, "--no-bindings", tree))
    for ref, rev in (("aaa", "main^^^^^"), ("zzz", "main^^^^^"), ("rem:old", "main" + "^" * 8)):
        must(ours("refs", f"--repo={repo}", f"--create={ref}", rev))
    return repo


def lengths(repo: Path) -> dict[str, int]:
    """Return how many commits there are of each ref's history."""
    names = must(ours("refs", f"--repo={repo}", "--list")).split()
    return {name: must(ours("log", f"--repo={repo}", name)).count("Date:") for name in names}


# Which of the ten commits the refs point to.
TIPS = {"main": 9, "aaa": 4, "zzz": 4, "rem:old": 1}


def expected_lengths(wanted: dict[str, int]) -> dict[str, int]:
    """Return the same when each ref wants so many parents, and the others' are there, too."""
    kept = {
        number
        for ref, depth in wanted.items()
        for number in range(TIPS[ref] - depth, TIPS[ref] + 1)
    }
    found = {}
    for ref, tip in TIPS.items():
        found[ref] = next(n for n in range(11) if tip - n not in kept or tip - n < 0)
    return found


@pytest.mark.parametrize(
    "words",
    [
        ["--refs-only", "--depth=2"],
        ["--refs-only", "--depth=100"],
        ["--keep-younger-than=@1700300000"],
        ["--keep-younger-than=@1700300000", "--only-branch=main"],
        ["--only-branch=main", "--only-branch=aaa", "--only-branch=zzz", "--depth=1"],
    ],
    ids=" ".join,
)
def test_prune_joined_histories_same_statistics(
    joined: Path, tmp_path: Path, words: list[str]
) -> None:
    results = []
    for command, name in ((ours, "o"), (reference, "r")):
        copy = copy_tree(joined, tmp_path / name)
        results.append(command("prune", f"--repo={copy}", *words))
    assert results[0] == results[1]
    assert object_names(tmp_path / "o") == object_names(tmp_path / "r")
    must(reference("fsck", f"--repo={tmp_path / 'o'}", "-q"))


@pytest.mark.parametrize(
    ("depth", "retained"),
    [
        (1, {"zzz": 3}),
        (1, {"aaa": 3}),
        (0, {"main": 2, "zzz": 2}),
        (3, {"zzz": 0}),
        (2, {"main": 7}),
    ],
)
def test_prune_keeps_what_each_ref_wants_of_joined_histories(
    joined: Path, tmp_path: Path, depth: int, retained: dict[str, int]
) -> None:
    # In the reference the ref that it looks at first can cut the history of another.
    repo = copy_tree(joined, tmp_path / "repo")
    options = [f"--retain-branch-depth={ref}={number}" for ref, number in retained.items()]
    must(ours("prune", f"--repo={repo}", f"--depth={depth}", *options))
    assert lengths(repo) == expected_lengths({**dict.fromkeys(TIPS, depth), **retained})


@pytest.mark.parametrize(
    "words",
    [["--keep-younger-than=@1900000000"], ["--only-branch=main"], ["--retain-branch-depth=main=1"]],
    ids=" ".join,
)
def test_prune_by_ref_keeps_what_mirrored_refs_need(
    joined: Path, tmp_path: Path, words: list[str]
) -> None:
    repo = copy_tree(joined, tmp_path / "repo")
    tree = write_files(tmp_path / "tree", {"other": "tree"})
    tip = must(ours("commit", f"--repo={repo}", "--orphan", tree))
    must(ours("refs", f"--repo={repo}", "-c", "--create=org.example.C:y", tip))
    must(ours("prune", f"--repo={repo}", "--depth=0", *words))
    # The reference deletes the commit and leaves the ref without it.
    must(ours("ls", "-R", f"--repo={repo}", tip))


def test_prune_circle_of_forged_commits_ends(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    tree = write_files(tmp_path / "tree", {"f": "f"})
    first = commit(repo, "-b", "main", "--no-bindings", tree)
    second = commit(repo, "-b", "main", "--no-bindings", "-s", "second", tree)
    path = repo / f"objects/{first[:2]}/{first[2:]}.commit"
    data = (repo / f"objects/{second[:2]}/{second[2:]}.commit").read_bytes()
    path.write_bytes(data.replace(bytes.fromhex(first), bytes.fromhex(second)))
    for words in (
        ["--refs-only"],
        ["--keep-younger-than=1970-01-01"],
        ["--refs-only", "--depth=9"],
    ):
        result = ours("prune", f"--repo={repo}", *words)
        assert (result.status, result.err) == (0, "")
        assert "No unreachable" in result.out


@ROOT
def test_prune_and_fsck_of_a_long_history(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    make_history(repo, 1200)  # more than may nest
    for words in (["prune", "--refs-only", "--no-prune"], ["log", "main"]):
        mine = run_process(OURS, words[0], f"--repo={repo}", *words[1:])
        theirs = run_process(REFERENCE, words[0], f"--repo={repo}", *words[1:])
        assert mine == theirs
    assert "fsck of 1200 commits" in must(run_process(OURS, "fsck", f"--repo={repo}"))
    copy = copy_tree(repo, tmp_path / "copy")
    results = [
        command("prune", f"--repo={path}", "--refs-only", "--depth=7")
        for command, path in ((ours, repo), (reference, copy))
    ]
    assert results[0] == results[1]
    assert object_names(repo) == object_names(copy)


@ROOT
@pytest.mark.parametrize("words", [["--all"], ["--delete"], []], ids=str)
def test_fsck_many_damaged_objects_same_as_reference(tmp_path: Path, words: list[str]) -> None:
    repo = tmp_path / "repo"
    make_objects(repo, 2500)  # enough for helpers
    paths = sorted((repo / "objects").glob("??/*.file"))
    for path in paths[5:1300:2]:
        path.write_bytes(b"damaged")
    for path in paths[1500:1520]:
        path.unlink()
    copy = copy_tree(repo, tmp_path / "copy")
    mine = run_process(OURS, "fsck", f"--repo={repo}", "-q", *words)
    theirs = run_process(REFERENCE, "fsck", f"--repo={copy}", "-q", *words)
    assert (mine.status, theirs.status) == (1, 1)
    if words:
        assert sorted(mine.err.splitlines()) == sorted(theirs.err.splitlines())
        assert mine.err.count("Corrupted file object") == len(paths[5:1300:2])
    else:  # which one is found first is chance
        shape = re.compile(r"[0-9a-f]{64}")
        last = [shape.sub("X", one.err.splitlines()[-1]) for one in (mine, theirs)]
        assert last[0] == last[1]
    assert object_names(repo) == object_names(copy)
    if words:
        states = [sorted(os.listdir(path / "state")) for path in (repo, copy)]
        assert states[0] == states[1]


def test_users_of_objects_are_all_commits_above_them(joined: Path) -> None:
    with Repo.open(joined) as repo:
        commits = sorted(repo.store.iter_commits())
        roots = {}
        for checksum in commits:
            loaded = repo.load_commit(checksum)
            roots[checksum] = (loaded.root_tree, loaded.root_meta)
        users = ObjectUsers(repo, roots)
        tip = repo.resolve("main")
        root = repo.load_dirtree(roots[tip][0])
        shared_tree, meta = root.dirs[0][1:]
        shared_file = repo.load_dirtree(shared_tree).files[0][1]
        asked = [
            ObjectName(root.files[0][1], ObjectType.FILE),
            ObjectName(shared_file, ObjectType.FILE),
            ObjectName(shared_tree, ObjectType.DIRTREE),
            ObjectName(meta, ObjectType.DIRMETA),
            ObjectName(roots[tip][0], ObjectType.DIRTREE),
            ObjectName(tip, ObjectType.COMMIT),
            ObjectName(parse_checksum("f" * 64), ObjectType.FILE),
        ]
        expected = [[tip], commits, commits, commits, [tip], [tip], []]
        assert users.commits_using(asked) == expected
        assert [users.commits_using([one])[0] for one in asked] == expected
