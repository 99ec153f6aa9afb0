from __future__ import annotations

import io
from pathlib import Path

import pytest

from pyostree.cli import needs
from pyostree.cli.needs import Finished, Need
from pyostree.cli.options import UsageError
from pyostree.errors import OstreeError
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo
from pyostree.sysroot import Sysroot
from pyostree.sysroot.init_fs import init_fs

VALUES = {"_repo": None, "_sysroot": None, "_print_current_dir": False}


def acquire(need: Need, **values: object) -> tuple[object, ...]:
    with need.acquire(VALUES | values, io.StringIO()) as subject:
        return subject


@pytest.fixture
def sysroot(tmp_path: Path) -> str:
    init_fs(str(tmp_path))
    return str(tmp_path)


def names(need: Need) -> list[str]:
    return [option.name for option in (*need.options_before, *need.options_after)]


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        (needs.NOTHING, []),
        (needs.REPO, ["repo"]),
        (needs.REPO_PATH, ["repo"]),
        (needs.REPO_OR_SYSROOT, ["repo", "sysroot"]),
        (needs.SYSROOT_PATH, ["sysroot", "print-current-dir"]),
        (needs.SYSROOT_ROOT, ["sysroot", "print-current-dir"]),
    ],
)
def test_needs_bring_their_options(need: Need, expected: list[str]) -> None:
    assert names(need) == expected


def test_repo_need_opens_the_repo(tmp_path: Path) -> None:
    path = str(tmp_path / "repo")
    Repo.create(path, RepoMode.ARCHIVE).close()
    (repo,) = acquire(needs.REPO_WRITABLE, _repo=path)
    assert isinstance(repo, Repo)


def test_repo_need_says_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        acquire(needs.REPO, _repo="none")
    assert caught.value.__notes__ == [f"opendir({tmp_path}/none)", "opening repo"]


def test_repo_need_broken_default_repo_is_not_a_missing_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "objects").mkdir()
    (tmp_path / "config").write_text("junk")
    with pytest.raises(OstreeError) as caught:
        acquire(needs.REPO)
    assert not isinstance(caught.value, UsageError)


def test_repo_path_need_opens_nothing() -> None:
    assert acquire(needs.REPO_PATH, _repo="/nonexistent") == ("/nonexistent",)


@pytest.mark.parametrize("need", [needs.REPO, needs.REPO_PATH], ids=["repo", "path"])
def test_empty_repo_is_not_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, need: Need
) -> None:
    Repo.create(tmp_path).close()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        acquire(need, _repo="")


def test_repo_path_need_without_an_option_wants_the_default_repo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OSTREE_REPO", str(tmp_path / "repo"))
    with pytest.raises(UsageError, match="Command requires a --repo argument"):
        acquire(needs.REPO_PATH)
    Repo.create(tmp_path / "repo").close()
    assert acquire(needs.REPO_PATH) == (str(tmp_path / "repo"),)


def test_repo_or_sysroot_need_sysroot_wins(sysroot: str) -> None:
    (repo,) = acquire(needs.REPO_OR_SYSROOT, _repo="/nonexistent", _sysroot=sysroot)
    assert isinstance(repo, Repo)


def test_sysroot_need_missing_sysroot_names_the_step(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        acquire(needs.SYSROOT, _sysroot=str(tmp_path / "none"))
    assert caught.value.__notes__[-1] == "Initializing sysroot"


@pytest.mark.parametrize("need", [needs.SYSROOT_ROOT, needs.SYSROOT_UNLOCKED])
def test_sysroot_need_gives_a_loaded_sysroot(need: Need, sysroot: str) -> None:
    (loaded,) = acquire(need, _sysroot=sysroot)
    assert isinstance(loaded, Sysroot)
    assert list(loaded.deployments) == []


def test_sysroot_need_takes_the_environment(sysroot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTREE_SYSROOT", sysroot)
    assert isinstance(acquire(needs.SYSROOT_UNLOCKED)[0], Sysroot)


def test_sysroot_need_print_current_dir_without_deployment_fails(sysroot: str) -> None:
    with pytest.raises(OstreeError, match="Unable to find a deployment in sysroot"):
        acquire(needs.SYSROOT, _sysroot=sysroot, _print_current_dir=True)


class FakeSysroot(Sysroot):
    """A booted sysroot with one deployment."""

    booted = "booted"
    deployments = ("first", "second")

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __exit__(self, *error: object) -> None:
        self.calls.append("close")

    def enter_mount_namespace(self) -> None:
        self.calls.append("namespace")

    def lock(self, on_wait: object = None) -> None:
        self.calls.append("lock")
        on_wait()

    def load(self) -> None:
        self.calls.append("load")

    def deployment_path(self, deployment: object) -> str:
        return f"/sysroot/{deployment}"


@pytest.fixture
def booted(monkeypatch: pytest.MonkeyPatch) -> FakeSysroot:
    fake = FakeSysroot()
    monkeypatch.setattr(needs, "open_sysroot", lambda path: fake)
    return fake


def test_sysroot_need_locks_before_it_loads(booted: FakeSysroot) -> None:
    out = io.StringIO()
    with needs.SYSROOT.acquire(VALUES, out) as subject:
        assert subject == (booted,)
    assert booted.calls == ["namespace", "lock", "load", "close"]
    assert out.getvalue() == "Waiting for sysroot lock...\n"


def test_sysroot_need_unlocked_only_loads(booted: FakeSysroot) -> None:
    acquire(needs.SYSROOT_UNLOCKED)
    assert booted.calls == ["load", "close"]


def test_sysroot_need_root_refuses_other_users_on_a_booted_system(
    booted: FakeSysroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(OstreeError, match="You must be root to perform this command"):
        acquire(needs.SYSROOT_ROOT)
    assert acquire(needs.SYSROOT_UNLOCKED) == (booted,)


@pytest.mark.usefixtures("booted")
def test_sysroot_need_print_current_dir_is_all_there_is_to_do() -> None:
    out = io.StringIO()
    with (
        pytest.raises(Finished),
        needs.SYSROOT.acquire(VALUES | {"_print_current_dir": True}, out),
    ):
        pytest.fail("nothing is left to do")
    assert out.getvalue().endswith("/sysroot/first\n")
