"""A pull of many files is killed, interrupted, cancelled or runs out of disk: the next one goes on.

Content is stored by helper processes; none of them outlives the pull, and what they had stored is
not fetched again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fault.scripted_server import Reply, ScriptedServer, scripted_server
from pyostree.errors import CancelledError
from pyostree.progress import Cancel, watch_with
from pyostree.pull.from_remote import pull
from pyostree.pull.options import Wanted
from pyostree.repo import processes
from pyostree.repo.repo import Repo
from repo_lab import OURS, check_both, commit, make_repo, must, refs_of, run_process, write_files

FILES = 900
BIG_BYTES = 3 << 20
DEADLINE_S = 10


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("many")
    files: dict[str, str | bytes | None] = {
        f"{number // 50}/{number}": os.urandom(300) * (1 + number % 7) for number in range(FILES)
    }
    tree = write_files(base / "tree", files | {"big": os.urandom(BIG_BYTES)})
    repo = make_repo(base / "repo", "archive")
    commit(repo, "-b", "main", f"--tree=dir={tree}")
    return repo


@pytest.fixture
def server(source: Path) -> Iterator[ScriptedServer]:
    with scripted_server(source) as running:
        yield running


def client(path: Path, url: str, mode: str = "bare-user") -> Path:
    repo = make_repo(path, mode)
    # With fsync objects wait in the staging directory, from which the next pull takes them.
    (repo / "config").write_text((repo / "config").read_text().replace("fsync=false\n", ""))
    must(run_process(OURS, "remote", f"--repo={repo}", "add", "--no-sign-verify", "origin", url))
    return repo


def helpers_of(pid: int) -> list[int]:
    """Return the children of a process, which may have ended by now."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def staged(repo: Path) -> set[str]:
    return {
        path.name
        for path in (repo / "tmp").glob("staging-*/??/*")
        if path.suffix not in (".commit", ".commitmeta")  # these are fetched again
    }


class Strike:
    """Does something to the pull at the n-th request for content; `helpers` it had then."""

    def __init__(self, server: ScriptedServer, deadly: int, blow: Callable[[int], None]) -> None:
        self.helpers: list[int] = []
        self._left = deadly
        self._blow = blow
        self.pid = 0
        server.faults[".filez"] = self

    def __call__(self, reply: Reply) -> Reply:
        self._left -= 1
        if self._left == 0:
            self.helpers = helpers_of(self.pid)
            self._blow(self.pid)
        return reply

    def run(self, repo: Path) -> tuple[int, str]:
        argv = [OURS, "pull", f"--repo={repo}", "origin", "main"]
        with subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            self.pid = process.pid
            errors = process.communicate(timeout=DEADLINE_S)[1]
            return process.returncode, errors

    def wait_for_helpers(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while any(map(is_running, self.helpers)):
            assert time.monotonic() < deadline, "a helper outlives its pull"
            time.sleep(0.01)


def check_goes_on(repo: Path, server: ScriptedServer) -> None:
    """Pull again; only what is missing comes."""
    server.faults.clear()
    check_both(repo)
    assert refs_of(repo) == {}
    before = staged(repo)
    server.requests.clear()
    must(run_process(OURS, "pull", f"--repo={repo}", "origin", "main"))
    fetched = {path.rpartition("/")[2].replace(".filez", ".file") for path in server.requests}
    assert not before & fetched
    check_both(repo)
    assert set(refs_of(repo)) == {"remotes/origin/main"}
    assert not list((repo / "state").iterdir())
    assert not list((repo / "tmp").glob("staging-*"))


def needs_helpers(strike: Strike) -> None:
    if processes.worker_count() > 1:
        assert strike.helpers, "nobody helped"


@pytest.mark.parametrize("deadly", [160, 511, 880])
def test_killed_pull_takes_its_helpers_along_and_goes_on(
    tmp_path: Path, server: ScriptedServer, deadly: int
) -> None:
    repo = client(tmp_path / "c", server.url)
    strike = Strike(server, deadly, lambda pid: os.kill(pid, signal.SIGKILL))
    assert strike.run(repo)[0] == -signal.SIGKILL
    needs_helpers(strike)
    strike.wait_for_helpers()
    assert len(staged(repo)) > 20
    check_goes_on(repo, server)


def test_interrupted_pull_ends_with_its_helpers_and_goes_on(
    tmp_path: Path, server: ScriptedServer
) -> None:
    repo = client(tmp_path / "c", server.url)
    strike = Strike(server, 300, lambda pid: os.kill(pid, signal.SIGINT))
    code, errors = strike.run(repo)
    assert code in {-signal.SIGINT, 128 + signal.SIGINT}
    assert "Traceback" not in errors
    needs_helpers(strike)
    assert not any(map(is_running, strike.helpers))
    assert not list((repo / "tmp").glob("*-lock"))
    check_goes_on(repo, server)


def test_pull_whose_helper_is_killed_says_so_and_goes_on(
    tmp_path: Path, server: ScriptedServer
) -> None:
    if processes.worker_count() == 1:
        return  # nobody helps
    repo = client(tmp_path / "c", server.url)
    strike = Strike(
        server, 300, lambda pid: [os.kill(one, signal.SIGKILL) for one in helpers_of(pid)] and None
    )
    assert strike.run(repo) == (1, "error: A helper process ended unexpectedly\n")
    check_goes_on(repo, server)


def test_wrong_object_stored_by_a_helper_is_named_and_the_others_stay(
    tmp_path: Path, source: Path, server: ScriptedServer
) -> None:
    repo = client(tmp_path / "c", server.url)
    wrong = sorted(source.glob("objects/*/*.filez"))[FILES // 2]
    other = sorted(source.glob("objects/*/*.filez"))[FILES // 3].read_bytes()
    server.faults[wrong.name] = lambda reply: reply._replace(body=other)
    result = run_process(OURS, "pull", f"--repo={repo}", "origin", "main")
    checksum = wrong.parent.name + wrong.stem
    assert result.status == 1
    assert result.err.startswith("error: ")
    assert f"Corrupted file object; checksum expected='{checksum}'" in result.err
    assert len(staged(repo)) > 10
    check_goes_on(repo, server)


def test_cancelled_pull_goes_on(
    tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes.threading, "active_count", lambda: 1)
    repo_path = client(tmp_path / "c", server.url)
    cancel = Cancel()
    strike = Strike(server, 300, lambda _: cancel.cancel())
    strike.pid = os.getpid()
    with Repo.open(repo_path) as repo, pytest.raises(CancelledError):
        pull(repo, "origin", [Wanted("main")], watch=watch_with(cancel=cancel))
    assert not any(map(is_running, strike.helpers))
    assert len(staged(repo_path)) > 30
    check_goes_on(repo_path, server)


@pytest.mark.parametrize(
    ("disk_mb", "reserved_mb"), [(2, 0), (6, 5)], ids=["full", "reserved space is touched"]
)
def test_pull_onto_a_full_disk_is_a_clear_error(
    tmp_path: Path, server: ScriptedServer, disk_mb: int, reserved_mb: int
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={disk_mb}m", "tmpfs", disk], check=True)
    try:
        repo = client(disk / "c", server.url)
        with (repo / "config").open("a") as config:
            config.write(f"[core]\nmin-free-space-size={reserved_mb}MB\n")
        result = run_process(OURS, "pull", f"--repo={repo}", "origin", "main")
        assert result.status == 1
        if reserved_mb:
            assert "min-free-space-size 5MB would be exceeded" in result.err
            assert not staged(repo)
        else:
            assert "No space left on device" in result.err
        assert result.err.count("\n") == 1
        assert refs_of(repo) == {}
        assert not list((repo / "tmp").glob("*-lock"))
    finally:
        subprocess.run(["umount", disk], check=True)
