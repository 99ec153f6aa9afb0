"""A crowd of real processes in one repository: writers, pruners, publishers; some are killed.

Every writer has a branch of its own and notes what it was told had been committed; at the end the
branch must say the same, from its first commit to its last.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from repo_lab import OURS, REFERENCE, Result, must, ours, run_process, write_files

_POLL_S = 0.002
# Writers share most of what they write, in versions that come and go: objects are made by several
# at once, become unreachable, are pruned, and are wanted again.
_SHARED_FILES = 24
_VERSIONS = 3
_HANGS_S = 240.0


class Crowd:
    """Runs workers side by side until the time is over and enough of them were killed.

    Attributes:
        failures: what went wrong that nobody was killed for.
        kills: processes that ended because they were killed.
        prunes: successful runs of ``prune`` by each program.

    Args:
        death_rate: how many of the processes are killed, at a random moment of their usual time.
    """

    def __init__(self, repo: Path, *, seed: int, death_rate: float = 0.0) -> None:
        self.repo = repo
        self.failures: list[str] = []
        self.kills = 0
        self.prunes = {OURS: 0, REFERENCE: 0}
        self._death_rate = death_rate
        self._seed = seed
        self._is_over = threading.Event()
        self._gate = threading.Event()
        self._gate.set()
        self._lock = threading.Lock()
        self._running = 0
        self._durations: dict[tuple[str, str], float] = {}

    def run(
        self,
        workers: Iterable[Callable[[], object]],
        *,
        seconds: float,
        until: Callable[[], bool],
    ) -> None:
        """Let all workers repeat what they do, for some time and until they have done enough."""
        threads = [threading.Thread(target=self._repeat, args=(work,)) for work in workers]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            elapsed = time.monotonic() - started
            if self.failures or (elapsed >= seconds and until()) or elapsed > _HANGS_S:
                self._is_over.set()
            time.sleep(0.05)
        assert self.failures or until(), "the crowd is too slow"

    def _repeat(self, work: Callable[[], object]) -> None:
        try:
            while not self._is_over.is_set():
                work()
        except BaseException as err:  # an assertion in a thread would go unseen
            self.failures.append(repr(err))
            raise

    def random(self, name: str) -> random.Random:
        """Return a source of chance for one worker."""
        return random.Random(f"{self._seed} {name}")

    def call(self, chance: random.Random, program: str, *words: str | Path) -> Result | None:
        """Run a command of the repository; None when it was killed."""
        self._gate.wait()
        arguments = [program, words[0], f"--repo={self.repo}", *words[1:]]
        kind = (program, str(words[0]))
        dies = chance.random() < self._death_rate and kind in self._durations
        started = time.monotonic()
        with self._lock:
            self._running += 1
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "OSTREE_SUPPRESS_SYNCFS": "1"},
            )
            if dies:
                # The first part of a run is the start of the interpreter.
                time.sleep(chance.uniform(0.3, 1.0) * self._durations[kind])
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGKILL)
            out, err = process.communicate()
        finally:
            with self._lock:
                self._running -= 1
        if process.returncode == -signal.SIGKILL:
            with self._lock:
                self.kills += 1
            return None
        self._durations[kind] = time.monotonic() - started
        return Result(process.returncode, out.decode(), err.decode())

    def must(self, chance: random.Random, program: str, *words: str | Path) -> str | None:
        """Run a command that has to succeed unless it is killed."""
        result = self.call(chance, program, *words)
        if result is None:
            return None
        if result.status:
            command = " ".join(map(str, (program, *words)))
            self.failures.append(f"{command}: {result.err}")
        return result.out.strip()

    def prune(self, chance: random.Random, program: str) -> None:
        """Prune; the reference, which asks for the lock once a second, gets a moment of silence."""
        if program == REFERENCE:
            self._gate.clear()
            while self._running and not self._is_over.is_set():
                time.sleep(_POLL_S)
            threading.Timer(0.02, self._gate.set).start()
            self._gate.wait(0.015)
            result = run_process(program, "prune", f"--repo={self.repo}", "--refs-only")
            if result.status:
                self.failures.append(f"reference prune: {result.err}")
            self.prunes[program] += not result.status
            return
        if self.must(chance, program, "prune", "--refs-only") is not None:
            self.prunes[program] += 1


class SharingWriter:
    """Commits to a branch that others of ours commit to at the same time.

    Attributes:
        told: what it was told had been committed, in that order.
    """

    def __init__(self, crowd: Crowd, root: Path, name: str, branch: str) -> None:
        self.told: list[str] = []
        self._crowd = crowd
        self._branch = branch
        self._tree = root / name
        self._name = name
        self._chance = crowd.random(name)

    def work(self) -> None:
        """Commit once."""
        write_files(self._tree, {self._name: f"{len(self.told)}"})
        words = ["commit", "-b", self._branch, f"--tree=dir={self._tree}"]
        told = self._crowd.must(self._chance, OURS, *words)
        if told is not None:
            self.told.append(told)

    def check(self) -> None:
        """The branch has all commits, in this order among those of others."""
        history = history_of(self._crowd.repo, self._branch)
        assert [commit for commit in history if commit in set(self.told)] == self.told


class Writer:
    """Commits to a branch of its own, and to nothing: what it makes then is for the pruner.

    Attributes:
        history: the commits of the branch as the writer was told, oldest first.
    """

    def __init__(self, crowd: Crowd, root: Path, name: str, program: str) -> None:
        self.name = name
        self.history: list[str] = []
        self.tree = root / name
        self._crowd = crowd
        self._program = program
        self._chance = crowd.random(name)
        self._round = 0
        self._is_unsure = False

    def work(self) -> None:
        """Commit once."""
        self._round += 1
        write_files(self.tree, self._files())
        if self._chance.random() < 0.3:
            self._crowd.must(
                self._chance, self._program, "commit", "--orphan", f"--tree=dir={self.tree}"
            )
            return
        words = ["commit", "-b", self.name, f"--tree=dir={self.tree}", "-s", f"{self._round}"]
        told = self._crowd.must(self._chance, self._program, *words)
        if self._is_unsure or told is None:
            self._look(told)
        if told is not None:
            self.history.append(told)
        self._is_unsure = told is None

    def _files(self) -> dict[str, str]:
        version = self._chance.randrange(_VERSIONS)
        shared = {
            f"shared/{version}/{number}": f"{version} {number}\n" * 20
            for number in range(_SHARED_FILES)
        }
        gone = self.tree / "shared"
        if gone.exists():
            subprocess.run(["rm", "-rf", gone], check=True)
        return {**shared, "own": f"{self.name} {self._round}", f"d/{self._round % 4}/x": self.name}

    def _look(self, told: str | None) -> None:
        """Find out whether a commit that was killed had been made: it has to be all or nothing."""
        tip = self.tip()
        if told is not None:
            parent = parent_of(self._crowd.repo, told)
            tip = parent or ""
        if tip and (not self.history or tip != self.history[-1]):
            before = parent_of(self._crowd.repo, tip)
            assert before == (self.history[-1] if self.history else None), self.name
            self.history.append(tip)

    def tip(self) -> str:
        """Return the commit of the branch, empty when there is none."""
        path = self._crowd.repo / "refs/heads" / self.name
        return path.read_text().strip() if path.exists() else ""

    def check(self) -> None:
        """The branch is what was told, with all of its history; the last tree is the source."""
        if not self.history:
            assert not self.tip()
            return
        assert history_of(self._crowd.repo, self.name) == self.history


def history_of(repo: Path, branch: str) -> list[str]:
    """Return the commits of a branch, oldest first; none may be missing."""
    found = []
    commit: str | None = (repo / "refs/heads" / branch).read_text().strip()
    while commit is not None:
        found.append(commit)
        commit = parent_of(repo, commit)
    return found[::-1]


def parent_of(repo: Path, commit: str) -> str | None:
    """Return the parent of a commit that must be there."""
    from pyostree.formats.objects import parse_checksum
    from pyostree.repo.repo import Repo

    with Repo.open(repo) as opened:
        parent = opened.load_commit(parse_checksum(commit)).parent
    return None if parent is None else str(parent)


# -- afterwards ----------------------------------------------------------------------------------


def check_repository(repo: Path) -> None:
    """Nobody holds a lock; both programs find nothing wrong, before and after pruning."""
    assert_unlocked(repo)
    for _ in range(2):
        for program in (OURS, REFERENCE):
            result = run_process(program, "fsck", f"--repo={repo}", "-q")
            assert result.status == 0, f"{program}: {result.err}"
        must(ours("prune", f"--repo={repo}", "--refs-only"))


def assert_unlocked(repo: Path) -> None:
    """No process holds a lock on anything in the repository."""
    inodes = {path.lstat().st_ino for path in (repo / ".lock", *(repo / "tmp").glob("*-lock"))}
    held = [line for line in Path("/proc/locks").read_text().splitlines()
            if int(line.split()[-3].rpartition(":")[2]) in inodes]  # fmt: skip
    assert not held


def check_leftovers(repo: Path, tree: Path) -> None:
    """What the dead left is taken over, one directory by each run, and is gone at the end."""
    tmp = repo / "tmp"

    def staging() -> int:
        return sum(path.is_dir() for path in tmp.glob("staging-*"))

    while left := staging():
        must(ours("commit", f"--repo={repo}", "-b", "last", f"--tree=dir={tree}"))
        assert staging() == left - 1
    for path in tmp.iterdir():
        os.utime(path, (0, 0), follow_symlinks=False)
    must(ours("commit", f"--repo={repo}", "-b", "last", f"--tree=dir={tree}"))
    assert {path.name for path in tmp.iterdir()} == {"cache"}
    strays = [str(path) for path in (repo / "refs").rglob("*") if "tmp" in path.name]
    assert not strays
