"""``fsck`` finds, and ``prune`` deletes, what the C implementation finds and deletes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from repo_lab import (
    MODES,
    Result,
    commit,
    copy_tree,
    must,
    object_names,
    ours,
    reference,
    refs_of,
    write_files,
)

_DAY_S = 86400
_START = 1_700_000_000


@pytest.fixture(scope="module", params=MODES)
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two branches of five and three commits, a day between each; nothing is shared."""
    top = tmp_path_factory.mktemp("history")
    repo = top / "repo"
    must(reference("init", f"--repo={repo}", f"--mode={request.param}"))
    for branch, count in (("main", 5), ("dev", 3)):
        for number in range(count):
            tree = write_files(top / f"{branch}{number}", {"file": f"{branch} {number}\n"})
            write_files(tree, {"same": "same\n", f"dir/{branch}": f"{number}"})
            when = f"--timestamp=@{_START + number * _DAY_S}"
            commit(repo, "-b", branch, when, tree, command=reference)
    return repo


def run_both(repo: Path, top: Path, *steps: list[str]) -> tuple[list[Result], list[Result]]:
    """Run the steps with each command on a copy of its own, which must end up equal."""
    outcomes = []
    for command, name in ((ours, "o"), (reference, "r")):
        copy = copy_tree(repo, top / name)
        outcomes.append([command(words[0], f"--repo={copy}", *words[1:]) for words in steps])
    assert object_names(top / "o") == object_names(top / "r")
    assert refs_of(top / "o") == refs_of(top / "r")
    states = [sorted(path.name for path in (top / name / "state").iterdir()) for name in "or"]
    assert states[0] == states[1]
    configs = [(top / name / "config").read_text() for name in "or"]
    assert configs[0] == configs[1]
    return outcomes[0], outcomes[1]


# -- prune -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--refs-only"],
        ["--refs-only", "--depth=0"],
        ["--refs-only", "--depth=1"],
        ["--refs-only", "--depth=2", "--no-prune"],
        ["--depth=0"],
        ["--commit-only", "--refs-only", "--depth=0"],
        ["--keep-younger-than=@1700172800"],
        ["--keep-younger-than=2023-11-17 00:00:00 +0000", "--depth=0"],
        ["--only-branch=main", "--depth=0"],
        ["--only-branch=main", "--only-branch=dev", "--depth=1"],
        ["--retain-branch-depth=main=2", "--depth=0"],
        ["--retain-branch-depth=main=-1", "--depth=0", "--refs-only"],
        ["--retain-branch-depth=main=1", "--keep-younger-than=2023-11-15 00:00:00 +0000"],
        ["--only-branch=dev", "--retain-branch-depth=main=1", "--depth=0"],
        ["--only-branch=dev", "--keep-younger-than=@1800000000"],
        ["--retain-branch-depth=main=1x", "--depth=0"],
        ["--retain-branch-depth=main=99999999999"],
    ],
    ids=" ".join,
)
def test_prune_same_statistics_and_objects(history: Path, tmp_path: Path, words: list[str]) -> None:
    mine, theirs = run_both(history, tmp_path, ["prune", *words], ["fsck", "-q"], ["prune"])
    assert mine == theirs


def test_prune_delete_commit_leaves_tombstone(history: Path, tmp_path: Path) -> None:
    old = must(reference("rev-parse", f"--repo={history}", "main^^"))
    tip = must(reference("rev-parse", f"--repo={history}", "dev"))
    mine, theirs = run_both(
        history,
        tmp_path,
        ["prune", f"--delete-commit={tip}"],
        ["prune", f"--delete-commit={old}"],
        ["prune", f"--delete-commit={old}"],
        ["prune", "--delete-commit=main"],
        ["log", "main"],
    )
    assert mine == theirs
    tombstones = [
        (tmp_path / name / f"objects/{old[:2]}/{old[2:]}.tombstone-commit").read_bytes()
        for name in "or"
    ]
    assert tombstones[0] == tombstones[1]
    assert len(tombstones[0]) == 78


def test_prune_writes_tombstones_once_enabled(history: Path, tmp_path: Path) -> None:
    mine, theirs = run_both(
        history,
        tmp_path,
        ["config", "set", "core.tombstone-commits", "true"],
        ["prune", "--refs-only", "--depth=0"],
    )
    assert mine == theirs


def test_prune_removes_marks_and_detached_metadata(history: Path, tmp_path: Path) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    old = must(reference("rev-parse", f"--repo={repo}", "main^^"))
    (repo / f"state/{old}.commitpartial").write_bytes(b"")
    (repo / f"objects/{old[:2]}/{old[2:]}.commitmeta").write_bytes(b"")
    mine, theirs = run_both(repo, tmp_path, ["prune", "--refs-only", "--depth=0"])
    assert mine == theirs
    assert not list((tmp_path / "o/state").iterdir())


def test_prune_keeps_what_remotes_and_mirrors_need(history: Path, tmp_path: Path) -> None:
    mine, theirs = run_both(
        history,
        tmp_path,
        ["refs", "--create=rem:x", "main^^"],
        ["refs", "-c", "--create=org.example.C:y", "dev^^"],
        ["refs", "--delete", "main", "dev"],
        ["prune", "--refs-only", "--depth=0"],
    )
    assert mine == theirs
    assert must(ours("rev-parse", f"--repo={tmp_path / 'o'}", "rem:x"))


def test_prune_short_history_of_one_ref_does_not_cut_another(history: Path, tmp_path: Path) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    must(ours("refs", f"--repo={repo}", "--create=x1", "main^"))
    must(ours("refs", f"--repo={repo}", "--create=z1", "main^"))
    must(ours("prune", f"--repo={repo}", "--retain-branch-depth=x1=0", "--depth=0",
              "--retain-branch-depth=z1=2"))  # fmt: skip
    assert len(must(ours("log", f"--repo={repo}", "z1")).split("\ncommit ")) == 3


def test_prune_depth_zero_of_a_branch_is_obeyed(history: Path, tmp_path: Path) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    must(ours("prune", f"--repo={repo}", "--retain-branch-depth=main=0"))
    assert "<< History beyond" in must(ours("log", f"--repo={repo}", "main"))
    assert "<< History beyond" not in must(ours("log", f"--repo={repo}", "dev"))


def test_prune_no_prune_changes_nothing(history: Path, tmp_path: Path) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    target = must(reference("rev-parse", f"--repo={repo}", "main"))
    must(reference("static-delta", "generate", f"--repo={repo}", "--empty", target))
    must(reference("refs", f"--repo={repo}", "--delete", "main"))
    cache = repo / "tmp/cache/summaries"
    cache.mkdir(parents=True)
    (cache / "gone").write_text("x")
    before = sorted(map(str, repo.rglob("*")))
    must(ours("prune", f"--repo={repo}", "--refs-only", "--no-prune"))
    assert sorted(map(str, repo.rglob("*"))) == before


def test_prune_deletes_deltas_and_summaries_without_owner(history: Path, tmp_path: Path) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    tips = {name: must(reference("rev-parse", f"--repo={repo}", name)) for name in ("main", "dev")}
    for words in (["--empty", tips["main"]], ["--from=main^", "--to=main"], ["--empty", "dev"]):
        must(reference("static-delta", "generate", f"--repo={repo}", *words))
    must(reference("refs", f"--repo={repo}", "--delete", "main"))
    must(reference("remote", "add", f"--repo={repo}", "--no-gpg-verify", "kept", "http://x"))
    cache = repo / "tmp/cache/summaries"
    cache.mkdir(parents=True)
    for name in ("gone", "gone.sig", "kept", "kept.sig"):
        (cache / name).write_text("x")
    mine, theirs = run_both(
        repo, tmp_path, ["prune", "--refs-only", "--depth=0"], ["static-delta", "list"]
    )
    assert mine[0] == theirs[0]
    found = [
        sorted(
            str(path.relative_to(tmp_path / name)) for path in (tmp_path / name).rglob("deltas/*/*")
        )
        for name in "or"
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 1
    assert sorted(path.name for path in (tmp_path / "o/tmp/cache/summaries").iterdir()) == [
        "kept",
        "kept.sig",
    ]


def test_prune_delete_commit_of_deltas_only(history: Path, tmp_path: Path) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    must(reference("static-delta", "generate", f"--repo={repo}", "--empty", "dev"))
    tip = must(reference("rev-parse", f"--repo={repo}", "dev"))
    result = ours("prune", f"--repo={repo}", "--static-deltas-only", f"--delete-commit={tip}")
    assert result.status == 0, result.err
    assert not list(repo.glob("deltas/*/*"))
    assert must(ours("rev-parse", f"--repo={repo}", "dev")) == tip


def test_prune_partial_commit_with_missing_dirtree_is_no_error(
    history: Path, tmp_path: Path
) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    tip = must(reference("rev-parse", f"--repo={repo}", "main"))
    tree = must(reference("ls", f"--repo={repo}", "-dC", "main", "/dir")).split()[4]
    (repo / f"objects/{tree[:2]}/{tree[2:]}.dirtree").unlink()
    failed, expected = run_both(repo, tmp_path / "a" if (tmp_path / "a").mkdir() is None else repo,
                                ["prune"])  # fmt: skip
    assert failed == expected
    assert failed[0].err == f"error: No such metadata object {tree}.dirtree\n"
    (repo / f"state/{tip}.commitpartial").write_bytes(b"")
    (tmp_path / "b").mkdir()
    mine, theirs = run_both(repo, tmp_path / "b", ["prune"], ["fsck", "-q"])
    assert mine == theirs


# -- fsck --------------------------------------------------------------------------------


def path_of(repo: Path, words: str) -> Path:
    """Return the loose object of the commit, tree, meta or file that `words` name."""
    kind, _, path = words.partition(" ")
    if kind == "commit":
        checksum = must(reference("rev-parse", f"--repo={repo}", path))
    else:
        column = 5 if kind == "dirmeta" else 4
        listed = must(reference("ls", f"--repo={repo}", "-dC", "main", path))
        checksum = listed.split()[column]
    found = sorted((repo / "objects" / checksum[:2]).glob(f"{checksum[2:]}.{kind}*"))
    return found[0]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x41
    path.write_bytes(data)


def comparable(result: Result) -> Result:
    """Leave out what differs by hash order: the order of commits, and of lines."""

    def order(match: re.Match[str]) -> str:
        return "commits " + ", ".join(sorted(match[1].split(", "))) + ":"

    text = re.sub(r"commits ([0-9a-f, ]+):", order, result.err)
    *findings, last = text.splitlines(keepends=True) or [""]
    return result._replace(err="".join([*sorted(findings), last]))


@pytest.mark.parametrize("words", [[], ["-q"], ["-a"], ["--delete"], ["-a", "--delete"]])
@pytest.mark.parametrize(
    ("target", "damage"),
    [
        ("file /file", flip),
        ("file /same", flip),
        ("file /dir/main", flip),
        ("file /same", Path.unlink),
        ("dirmeta /", flip),
        ("dirmeta /", Path.unlink),
        ("commit main^", flip),
        ("commit main^", Path.unlink),
        ("commit main", Path.unlink),
    ],
)
def test_fsck_finds_marks_and_deletes_the_same(
    history: Path, tmp_path: Path, words: list[str], target: str, damage: Callable[[Path], None]
) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    damage(path_of(repo, target))
    mine, theirs = run_both(repo, tmp_path, ["fsck", *words], ["fsck", "-q"])
    assert mine[0].status == theirs[0].status
    progress = re.compile(r"fsck objects .*\n")
    for one, other in zip(mine, theirs, strict=True):
        assert comparable(one).err == comparable(other).err
        assert progress.sub("", one.out) == progress.sub("", other.out)


def test_fsck_corrupt_directory_is_reported_deleted_and_marked(
    history: Path, tmp_path: Path
) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    damaged = path_of(repo, "dirtree /dir")
    tip = must(ours("rev-parse", f"--repo={repo}", "main"))
    damaged.write_bytes(damaged.read_bytes()[:-3])
    name = damaged.parent.name + damaged.name
    result = ours("fsck", f"--repo={repo}", "-q")
    assert result.status == 1
    assert f"error: In commits {tip}: fsck {name}: Corrupted dirtree object; " in result.err
    result = ours("fsck", f"--repo={repo}", "-q", "--delete")
    assert f"Marking commit as partial: {tip}\n" in result.err
    assert result.err.endswith("error: Repository corruption encountered\n")
    assert not damaged.exists()
    result = ours("fsck", f"--repo={repo}", "-q")
    assert "1 partial commits not verified\n" in result.out
    assert result.err == "error: 1 partial commits from fsck-detected corruption\n"


def test_fsck_missing_directory_stops_as_in_the_reference(history: Path, tmp_path: Path) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    path_of(repo, "dirtree /dir").unlink()
    mine, theirs = run_both(repo, tmp_path, ["fsck", "-q"])
    assert mine == theirs


def test_fsck_missing_directory_with_all_marks_the_commit(history: Path, tmp_path: Path) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    tip = must(ours("rev-parse", f"--repo={repo}", "main"))
    path_of(repo, "dirtree /dir").unlink()
    result = ours("fsck", f"--repo={repo}", "-q", "--all")
    assert f"Object missing in commits {tip}: " in result.err
    assert (repo / f"state/{tip}.commitpartial").read_bytes() == b"f"


def test_fsck_add_tombstones_deletes_the_child(history: Path, tmp_path: Path) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    path_of(repo, "commit main^^").unlink()
    mine, theirs = run_both(repo, tmp_path, ["fsck", "--add-tombstones"], ["refs"], ["fsck", "-q"])
    progress = re.compile(r"fsck objects .*\n")
    assert progress.sub("", mine[0].out) == progress.sub("", theirs[0].out)
    assert mine[2].err == theirs[2].err


@pytest.mark.parametrize("option", ["--verify-bindings", "--verify-back-refs"])
def test_fsck_bindings_same_as_reference(history: Path, tmp_path: Path, option: str) -> None:
    repo = copy_tree(history, tmp_path / "repo")
    must(reference("prune", f"--repo={repo}", "--refs-only", "--depth=0"))
    must(reference("refs", f"--repo={repo}", "--create=other", "main"))
    (tmp_path / "a").mkdir()
    mine, theirs = run_both(repo, tmp_path / "a", ["fsck", option])
    assert mine[0].err == theirs[0].err
    must(reference("refs", f"--repo={repo}", "--delete", "main"))
    (tmp_path / "b").mkdir()
    mine, theirs = run_both(repo, tmp_path / "b", ["fsck", option])
    assert mine[0].err == theirs[0].err


def test_fsck_progress_first_and_last_line(history: Path, tmp_path: Path) -> None:
    expected = reference("fsck", f"--repo={history}").out.splitlines()
    lines = ours("fsck", f"--repo={history}").out.splitlines()
    assert [lines[4], *lines[-2:]] == [expected[4], *expected[-2:]]


def test_fsck_objects_of_the_parent_repository_count(history: Path, tmp_path: Path) -> None:
    parent = copy_tree(history, tmp_path / "parent")
    child = tmp_path / "child"
    must(reference("init", f"--repo={child}", "--mode=archive"))
    with (child / "config").open("a") as config:
        config.write(f"parent={parent}\n")
    must(ours("refs", f"--repo={child}", "--create=x", "main"))
    mine, theirs = ours("fsck", f"--repo={child}"), reference("fsck", f"--repo={child}")
    assert mine == theirs
    assert ours("prune", f"--repo={child}").out == reference("prune", f"--repo={child}").out
    result = ours("prune", f"--repo={child}", "--commit-only", "--refs-only", "--depth=0")
    assert result.status == 0  # the reference fails to delete what is not its own
    shutil.rmtree(child)
