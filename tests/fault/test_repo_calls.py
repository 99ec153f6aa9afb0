"""Any one system call of a local command fails, or kills it: a clear error, nothing harmed.

The next run of the same command succeeds and leaves what it would have left at once.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from fault.syscalls import EINTR, EIO, EMFILE, ENOSPC, KILL, Fault, Outcome, count_calls, run_into
from fault.victim import Victim
from repo_lab import (
    OURS,
    check_both,
    commit,
    link_tree,
    listing,
    make_repo,
    must,
    object_names,
    ours,
    reference,
    refs_of,
    run_process,
    write_files,
)

# How many calls are tried, evenly spread; with FAULT_ALL in the environment it is all of them.
TRIALS = {EIO: 8, ENOSPC: 3, EMFILE: 2, KILL: 10, EINTR: 1}
FAULTS = pytest.mark.parametrize("fault", TRIALS, ids=lambda fault: fault.name)


class Scenario(NamedTuple):
    """A command, and the place that it starts from; words hold ``{root}``."""

    name: str
    mode: str
    words: str
    prepare: Callable[[Path, Path], object] = lambda _root, _repo: None

    @property
    def is_once(self) -> bool:
        """Whether it does something else when it runs again."""
        return self.words.startswith(("commit", "reset", "config unset", "refs --create"))


def prepare_root(root: Path, scenario: Scenario) -> Path:
    """Make a repository with two commits of `main`, one of `other`, and trees of the next."""
    repo = make_repo(root / "repo", scenario.mode)
    tree = write_files(root / "tree", {"file": "first", "dir/other": "x" * 3000, "dir/gone": "g"})
    (tree / "link").symlink_to("file")
    os.setxattr(tree / "dir/other", "user.note", b"note")
    commit(repo, "-b", "main", tree)
    write_files(tree, {"file": "second", "new/below/here": "new"})
    commit(repo, "-b", "main", tree)
    commit(repo, "-b", "other/deep", "--add-detached-metadata-string=a=b", tree)
    write_files(tree, {"file": "third", "new/below/here": "newer", "empty": ""})
    scenario.prepare(root, repo)
    config = repo / "config"
    config.write_text(config.read_text().replace("fsync=false", "fsync=true"))
    return repo


def make_rubbish(root: Path, repo: Path) -> None:
    tree = write_files(root / "rubbish", {"rubbish": "r", "in/rubbish": "s"})
    commit(repo, "--orphan", "--add-detached-metadata-string=a=b", tree)
    must(ours("refs", f"--repo={repo}", "--delete", "other"))


def check_out_first(root: Path, repo: Path) -> None:
    must(ours("checkout", f"--repo={repo}", "main", root / "tree2"))
    write_files(root / "tree2", {"added": "added"})


def follow_with_summary(_root: Path, repo: Path) -> None:
    with (repo / "config").open("a") as config:
        config.write("auto-update-summary=true\n")


def make_source(mode: str) -> Callable[[Path, Path], object]:
    def make(root: Path, repo: Path) -> None:
        source = make_repo(root / "source", mode)
        must(ours("pull-local", f"--repo={source}", repo, "main"))
        commit(source, "-b", "main", root / "tree")

    return make


def per_object(_root: Path, repo: Path) -> None:
    with (repo / "config").open("a") as config:
        config.write("per-object-fsync=true\n")


COMMIT = "commit -b main --timestamp=@1700000000 --add-detached-metadata-string=d=1"
SCENARIOS = [
    Scenario("commit-archive", "archive", f"{COMMIT} {{root}}/tree"),
    Scenario("commit-bare", "bare", f"{COMMIT} {{root}}/tree"),
    Scenario("commit-user", "bare-user", f"{COMMIT} {{root}}/tree"),
    Scenario("commit-each-synced", "archive", f"{COMMIT} {{root}}/tree", per_object),
    Scenario("commit-no-fsync", "bare-user-only", f"{COMMIT} --fsync=false {{root}}/tree"),
    Scenario("commit-consume", "archive", f"{COMMIT} --consume {{root}}/tree"),
    Scenario("commit-summary", "archive", f"{COMMIT} {{root}}/tree", follow_with_summary),
    Scenario("commit-links", "bare", f"{COMMIT} --link-checkout-speedup {{root}}/tree2",
             check_out_first),
    Scenario("refs-create", "archive", "refs --create=a/new main"),
    Scenario("refs-force", "archive", "refs --force --create=other/deep main"),
    Scenario("refs-alias", "archive", "refs --alias --create=alias main"),
    Scenario("refs-delete", "archive", "refs --delete other"),
    Scenario("refs-summary", "archive", "refs --create=a/new main", follow_with_summary),
    Scenario("reset", "archive", "reset main main^"),
    Scenario("config-set", "archive", "config set core.tombstone-commits true"),
    Scenario("config-unset", "archive", "config unset core.min-free-space-percent"),
    Scenario("summary", "archive", "summary -u"),
    Scenario("prune", "archive", "prune --refs-only", make_rubbish),
    Scenario("prune-depth", "bare", "prune --refs-only --depth=0", make_rubbish),
    Scenario("pull-linking", "archive", "pull-local {root}/source main", make_source("archive")),
    Scenario("pull-writing", "archive", "pull-local {root}/source main", make_source("bare-user")),
]  # fmt: skip


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with Victim() as process:
        yield process


Templates = Callable[[Scenario], Path]


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """What prepares each scenario once; the directory is not to be changed."""
    made: dict[tuple[str, str], Path] = {}

    def template(scenario: Scenario) -> Path:
        key = (scenario.name, scenario.mode)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("template")
            prepare_root(made[key], scenario)
        return made[key]

    return template


class Place(NamedTuple):
    """A fresh copy of a prepared directory, and the command to run in it."""

    root: Path
    repo: Path
    words: list[str]


def place_at(root: Path, scenario: Scenario) -> Place:
    first, *words = (word.format(root=root) for word in scenario.words.split())
    return Place(root, root / "repo", [first, f"--repo={root / 'repo'}", *words])


def trials(fault: Fault, calls: int) -> list[int]:
    """Return the numbers of the calls to try; before one that is not made nobody is killed."""
    wanted = calls if "FAULT_ALL" in os.environ else min(calls, TRIALS[fault])
    chosen = [1 + calls * number // wanted for number in range(wanted)]
    return [*chosen, calls + 50] if fault is KILL else chosen


def check_refusal(outcome: Outcome) -> None:
    """A failure is one line; what was hit may also have been of no importance."""
    result = outcome.result
    if result is None:
        return
    assert result.status in (0, 1)
    if result.status == 1:
        assert result.err.startswith("error: "), outcome
        assert result.err.count("\n") == 1, outcome
        assert result.out == "" or "prune" in outcome.result.out


class State(NamedTuple):
    """What a command leaves, without what depends on the clock."""

    refs: dict[str, str]
    config: bytes
    objects: set[str]
    partial: list[str]
    files: list[str]
    tmp: list[str]


def state_of(repo: Path) -> State:
    return State(
        refs_of(repo),
        (repo / "config").read_bytes(),
        object_names(repo),
        sorted(os.listdir(repo / "state")),
        sorted(os.listdir(repo)),
        sorted(os.listdir(repo / "tmp")),
    )


def age(repo: Path) -> None:
    """Make leftovers old enough to be removed by the next transaction."""
    for path in (repo / "tmp").iterdir():
        if path.name != "cache" and not path.name.startswith("staging-"):
            os.utime(path, (0, 0), follow_symlinks=False)


@FAULTS
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_command_with_a_failing_call(
    tmp_path: Path, scenario: Scenario, fault: Fault, *, templates: Templates, victim: Victim
) -> None:
    template = templates(scenario)
    old = state_of(template / "repo")
    whole = place_at(link_tree(template, tmp_path / "whole"), scenario)
    calls = count_calls(fault, whole.words)
    new = state_of(whole.repo)
    for number in trials(fault, calls):
        place = place_at(link_tree(template, tmp_path / "copy"), scenario)
        outcome = run_into(fault, number, place.words, victim)
        assert (outcome.hit is not None) == (number <= calls) or fault in (EIO, EMFILE), number
        check_refusal(outcome)
        if fault is EINTR and outcome.result is not None:
            assert outcome.result.status == 0, outcome
        check_unharmed(place.repo, old, new, outcome)
        finish(place, scenario, new, outcome)
        if not number % 4:  # a process of its own, so not for each
            must(reference("fsck", f"--repo={place.repo}", "-q"))
        shutil.rmtree(place.root)


def check_unharmed(repo: Path, old: State, new: State, outcome: Outcome) -> None:
    """All that is named is whole; each ref is the old or the new one."""
    must(ours("fsck", f"--repo={repo}", "-q"))
    state = state_of(repo)
    for name in {*old.refs, *new.refs, *state.refs}:
        assert state.refs.get(name) in (old.refs.get(name), new.refs.get(name)), (name, outcome)
    assert state.config in (old.config, new.config)
    if outcome.result is not None and outcome.result.status == 0:
        assert state == new._replace(tmp=state.tmp), outcome


def finish(place: Place, scenario: Scenario, new: State, outcome: Outcome) -> None:
    """Run the command again: it succeeds, and everything is as if it had never failed."""
    now = state_of(place.repo)
    is_done = now.refs == new.refs and (now.config == new.config or "summary" in scenario.name)
    if not (is_done and scenario.is_once):
        must(ours(*place.words))
    elif "summary" in scenario.name:
        must(ours("summary", "-u", f"--repo={place.repo}"))
    if scenario.words.startswith("prune"):
        assert object_names(place.repo) == new.objects, outcome
    age(place.repo)
    must(ours("commit", f"--repo={place.repo}", "--orphan", "--tree=ref=main", "--no-bindings",
              "--timestamp=@5"))  # fmt: skip
    again = state_of(place.repo)
    assert (again.refs, again.config) == (new.refs, new.config), outcome
    assert (again.partial, again.files, again.tmp) == (new.partial, new.files, new.tmp), outcome


# -- checkouts ---------------------------------------------------------------------------------

OVER = {"file": "mine", "dir/other": "mine, too", "added/later": "kept"}
SAME = {"file": "second", "added/later": "kept"}


class Checkout(NamedTuple):
    """A checkout into a directory `out` that holds `present`; None where there must be none."""

    mode: str
    options: str
    present: dict[str, str] | None


CHECKOUTS = [
    Checkout("archive", "", None),
    Checkout("archive", "-U", None),  # with the cache
    Checkout("archive", "--union", OVER),
    Checkout("archive", "-U --union-add", OVER),
    Checkout("bare", "", None),
    Checkout("bare", "--union", OVER),
    Checkout("bare", "-C --union", OVER),
    Checkout("bare", "--union-add", OVER),
    Checkout("bare", "-H --union-identical", SAME),
    Checkout("bare", "--whiteouts --union", OVER),
    Checkout("bare-user", "-U -H", None),
    Checkout("bare-user", "-U --union --subpath=/new", OVER),
    Checkout("bare-user", "--union --fsync=true", OVER),
]


@pytest.mark.parametrize("fault", [EIO, ENOSPC, EMFILE, KILL], ids=lambda fault: fault.name)
@pytest.mark.parametrize("case", CHECKOUTS, ids=lambda case: f"{case.mode} {case.options}")
def test_checkout_with_a_failing_call(
    tmp_path: Path, case: Checkout, fault: Fault, *, templates: Templates, victim: Victim
) -> None:
    present = case.present or {}
    scenario = Scenario(f"checkout {case.options}", case.mode,
                        f"checkout {case.options} main {{root}}/out",
                        lambda root, _: present and write_files(root / "out", present))  # fmt: skip
    template = templates(scenario)
    old = contents(template / "out")
    whole = place_at(link_tree(template, tmp_path / "whole"), scenario)
    calls = count_calls(fault, whole.words)
    new = contents(whole.root / "out")
    for number in trials(fault, calls):
        place = place_at(link_tree(template, tmp_path / "copy"), scenario)
        outcome = run_into(fault, number, place.words, victim)
        check_refusal(outcome)
        must(ours("fsck", f"--repo={place.repo}", "-q"))
        out = place.root / "out"
        for name, content in contents(out).items():
            assert content in (old.get(name), new.get(name)), (name, outcome)
        if outcome.result is not None and outcome.result.status == 0:
            assert contents(out) == new, outcome
        if case.present is None:
            shutil.rmtree(out, ignore_errors=True)
        must(ours(*place.words))
        assert contents(out) == new, outcome
        shutil.rmtree(place.root)


def contents(root: Path) -> dict[str, str]:
    """Return the files below `root`."""
    if not root.exists():
        return {}
    return {name: entry.content for name, entry in listing(root).items() if entry.kind != "d"}


# -- real processes ------------------------------------------------------------------------------

INJECTED = [
    "renameat2:error=EINTR:when=1",
    "syncfs:error=EIO",
    "syncfs:error=EINTR:when=1",
    "renameat2:error=EIO:when=2",
    "fsync:error=EIO:when=3",
    "linkat:error=ENOSPC:when=4",
    "mkdirat:error=ENOSPC:when=5",
    "fchmod:error=EPERM:when=2",
    "syncfs:signal=KILL",
    "renameat2:signal=KILL:when=2",
    "fsync:signal=KILL:when=2",
    "renameat:signal=KILL:when=1",
    "unlinkat:signal=KILL:when=4",
]


@pytest.mark.parametrize("fault", INJECTED)
def test_commit_by_a_process_whose_call_fails(tmp_path: Path, fault: str) -> None:
    scenario = SCENARIOS[0]
    repo = prepare_root(tmp_path, scenario)
    old = refs_of(repo)["heads/main"]
    place = place_at(tmp_path, scenario)
    result = run_process("/usr/bin/strace", "-f", "-o", tmp_path / "log", "-e", f"inject={fault}",
                         "-e", f"trace={fault.partition(':')[0]}", OURS, *place.words)  # fmt: skip
    assert "INJECTED" in (tmp_path / "log").read_text() or "KILL" in fault
    new = refs_of(repo)["heads/main"]
    if result.status == 0:
        assert result.out == new
        assert "EINTR" in fault
    elif "KILL" in fault:
        assert result.status == -signal.SIGKILL
    else:
        assert new == old
        assert result.status == 1
        assert result.err.startswith("error: ")
        assert result.err.count("\n") == 1
    check_both(repo)
    if new == old:
        must(ours(*place.words))
    must(ours("commit", f"--repo={repo}", "-b", "more", "--tree=ref=main"))
    assert os.listdir(repo / "tmp") == ["cache"]
    check_both(repo)
