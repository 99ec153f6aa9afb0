"""Transactions and what they stand on: the lock, staging directories, the budget of free space."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from pyostree.errors import FreeSpaceError, OstreeError, TransactionError, describe
from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.file_header import FileHeader, content_checksum
from pyostree.formats.objects import Checksum, ObjectType
from pyostree.formats.refspec import CollectionRef, Refspec
from pyostree.fs.dir import Dir
from pyostree.fs.lock import WHOLE, LockFile, try_lock_file
from pyostree.fs.partial_file import open_partial
from pyostree.repo import lock as lock_module
from pyostree.repo.config import WAIT_FOREVER, parse_config
from pyostree.repo.free_space import FreeSpace
from pyostree.repo.lock import RepoLock, one_at_a_time
from pyostree.repo.repo import Repo
from pyostree.repo.staging import clean_tmp, open_staging
from repo_lab import make_repo, must, object_names, ours, refs_of

BOOT = "0123-boot"
ONE = Checksum(b"\x11" * 32)
MAIN = Refspec(None, "main")


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    make_repo(tmp_path / "repo", fsync="true")
    with Repo.open(tmp_path / "repo") as opened:
        yield opened


@pytest.fixture
def tmp(tmp_path: Path) -> Iterator[Dir]:
    with Dir.at(tmp_path) as directory:
        yield directory


def add_object(repo: Repo, mode: int = 0o755) -> Checksum:
    return repo.write_metadata(ObjectType.DIRMETA, encode_dirmeta(Dirmeta(0, 0, 0o40000 | mode)))


def staging_dirs(repo: Repo) -> list[str]:
    return [name for name in os.listdir(Path(repo.path, "tmp")) if name.startswith("staging-")]


def interrupt(repo: Repo) -> None:
    """Run a transaction that ends in an error."""
    with contextlib.suppress(KeyError), repo.transaction() as transaction:
        add_object(repo)
        transaction.set_ref("main", ONE)
        raise KeyError


def add_bad_ref(repo: Repo) -> None:
    with repo.transaction() as transaction:
        add_object(repo)
        transaction.set_ref(Refspec(None, "a" * 64), ONE)


# -- transactions --------------------------------------------------------------------------------


def test_objects_and_refs_appear_together_at_commit(repo: Repo) -> None:
    with repo.transaction() as transaction:
        add_object(repo)
        transaction.set_ref("main", ONE)
        assert object_names(Path(repo.path)) == set()
        assert refs_of(Path(repo.path)) == {}
        assert repo.resolve("main") == ONE  # seen by this process
        assert len(staging_dirs(repo)) == 2  # with its lock
    assert len(object_names(Path(repo.path))) == 1
    assert refs_of(Path(repo.path)) == {"heads/main": f"{ONE}\n"}
    assert staging_dirs(repo) == []
    assert transaction.stats.metadata_objects_written == 1


def test_error_aborts_and_keeps_objects_for_the_next(repo: Repo) -> None:
    interrupt(repo)
    assert object_names(Path(repo.path)) == set()
    assert refs_of(Path(repo.path)) == {}
    (kept,) = staging_dirs(repo)
    with repo.transaction() as again:
        assert again.is_resuming
        assert staging_dirs(repo)[0].startswith(kept)
    assert len(object_names(Path(repo.path))) == 1  # resumed, as in the reference


def test_interrupted_replacement_is_not_published(repo: Repo) -> None:
    interrupt(repo)
    (kept,) = staging_dirs(repo)
    (below,) = Path(repo.path, "tmp", kept).glob("??")
    (below / "tmp.Ab3dE6").write_text("half")
    with repo.transaction():
        pass
    assert [name for name in object_names(Path(repo.path)) if "tmp" in name] == []


def test_nesting_and_use_after_the_end_are_refused(repo: Repo) -> None:
    with repo.transaction() as transaction:
        assert repo.in_transaction
        with pytest.raises(TransactionError, match="another transaction is in progress"):
            repo.transaction()
    assert not repo.in_transaction
    with pytest.raises(TransactionError, match="no transaction in progress"):
        transaction.commit()
    transaction.abort()


def test_explicit_commit_and_abort_within_the_block(repo: Repo) -> None:
    with repo.transaction() as transaction:
        add_object(repo)
        assert transaction.commit().metadata_objects_written == 1
    with repo.transaction() as transaction:
        add_object(repo, 0o700)
        transaction.abort()
    assert len(object_names(Path(repo.path))) == 1


def test_test_hook_fails_before_anything_is_published(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTREE_REPO_TEST_ERROR", "pre-commit")
    transaction = repo.transaction()
    add_object(repo)
    with pytest.raises(TransactionError, match="OSTREE_REPO_TEST_ERROR_PRE_COMMIT specified"):
        transaction.commit()
    assert not repo.in_transaction
    assert object_names(Path(repo.path)) == set()


def test_bad_ref_fails_after_the_objects_are_published(repo: Repo) -> None:
    with pytest.raises(OstreeError, match="looks like a checksum"):
        add_bad_ref(repo)
    assert len(object_names(Path(repo.path))) == 1
    assert not repo.in_transaction
    with repo.transaction():
        pass


def test_collection_refs_are_pending_until_commit(repo: Repo) -> None:
    ref = CollectionRef("org.example.Other", "x")
    with repo.transaction() as transaction:
        transaction.set_collection_ref(ref, ONE)
        assert transaction.collection_ref(ref) == ONE
        assert refs_of(Path(repo.path)) == {}
    assert refs_of(Path(repo.path)) == {"mirrors/org.example.Other/x": f"{ONE}\n"}


def test_closing_the_repository_aborts(tmp_path: Path) -> None:
    path = make_repo(tmp_path / "repo")
    with Repo.open(path) as repo:
        repo.transaction().set_ref("main", ONE)
    assert refs_of(path) == {}
    with Repo.open(path) as other, other.transaction():
        pass


def test_obsolete_transaction_file_is_removed(repo: Repo) -> None:
    marker = Path(repo.path, "transaction")
    marker.symlink_to("old")
    with repo.transaction():
        pass
    assert not marker.is_symlink()


# -- staging -------------------------------------------------------------------------------------


def test_staging_of_this_boot_is_taken_over_unless_in_use(tmp: Dir, tmp_path: Path) -> None:
    first = open_staging(tmp, BOOT)
    (name,) = (path.name for path in tmp_path.iterdir() if path.is_dir())
    assert name.startswith(f"staging-{BOOT}-")
    second = open_staging(tmp, BOOT)
    assert not first.is_reused
    assert not second.is_reused
    first.release()
    third = open_staging(tmp, BOOT)
    assert third.is_reused
    for staging in (second, third):
        staging.delete()
        staging.release()
    assert os.listdir(tmp_path) == []


def test_staging_of_another_boot_is_never_taken_over(tmp: Dir, tmp_path: Path) -> None:
    (tmp_path / "staging-other-abcdef").mkdir()
    (tmp_path / f"staging-{BOOT}-file").write_text("not a directory")
    (tmp_path / f"staging-{BOOT}-link").symlink_to("staging-other-abcdef")
    staging = open_staging(tmp, BOOT)
    assert not staging.is_reused
    staging.release()


def test_staging_taken_over_keeps_objects_but_no_commits(tmp: Dir) -> None:
    first = open_staging(tmp, BOOT)
    first.directory.make_dir("ab")
    for name in ("one.dirtree", "one.file", "one.commit", "one.commitmeta"):
        first.directory.create_file(f"ab/{name}")
    first.release()
    second = open_staging(tmp, BOOT)
    assert second.directory.open_dir("ab").list() == ["one.dirtree", "one.file"]
    second.release()


def test_staging_used_and_deleted_by_another_before_its_lock_is_made_again(
    tmp: Dir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_make = Dir.make_dir
    made: list[str] = []

    def make_and_lose(self: Dir, name: str, mode: int = 0o777, *, exist_ok: bool = False) -> bool:
        really_make(self, name, mode, exist_ok=exist_ok)
        made.append(name)
        if len(made) == 1:
            self.remove_dir(name)
        return True

    monkeypatch.setattr(Dir, "make_dir", make_and_lose)
    staging = open_staging(tmp, BOOT)
    assert len(made) == 2
    assert staging.directory.list() == []
    assert sorted(os.listdir(tmp_path)) == [made[1], f"{made[1]}-lock"]
    staging.release()


def test_clean_tmp_removes_locks_of_the_dead_whatever_their_age(tmp: Dir, tmp_path: Path) -> None:
    used = open_staging(tmp, BOOT)
    (mine,) = tmp_path.glob("*-lock")
    os.utime(mine, (0, 0))  # a transaction of many days
    left = tmp_path / f"staging-{BOOT}-gone12-lock"
    left.touch()
    held_by = LockFile(tmp, f"staging-{BOOT}-held12-lock", 0o600)
    assert held_by.try_lock(exclusive=True)  # its owner is about to remove it
    clean_tmp(tmp, BOOT, expiry_s=3600, drop_own=True)
    assert mine.exists()
    assert not left.exists()
    assert (tmp_path / f"staging-{BOOT}-held12-lock").exists()
    held_by.close()
    used.release()


@pytest.mark.parametrize("drop_own", [False, True])
def test_clean_tmp(tmp: Dir, tmp_path: Path, drop_own: bool) -> None:
    used = open_staging(tmp, BOOT)
    for name in ("staging-other-aaaaaa", f"staging-{BOOT}-unused", "cache", "fresh-dir", "old-dir"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    for name in ("fresh", "old", "future"):
        (tmp_path / name).touch()
    for name in ("old", "old-dir"):
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / "future", (1 << 33, 1 << 33))
    clean_tmp(tmp, BOOT, expiry_s=3600, drop_own=drop_own)
    left = {name for name in os.listdir(tmp_path) if not name.endswith("-lock")}
    kept = {"cache", "fresh", "fresh-dir", "future"}
    in_use = {name for name in left if name.startswith(f"staging-{BOOT}-")}
    assert left - in_use == kept
    assert (f"staging-{BOOT}-unused" in in_use) == (not drop_own)
    assert used.directory.list() == []
    used.release()


@pytest.mark.parametrize("is_full", [False, True])
def test_clean_tmp_keeps_downloads_that_somebody_can_continue(
    tmp: Dir, tmp_path: Path, is_full: bool
) -> None:
    start = f"fetch-{BOOT}-"
    for name in (
        f"{start}{'a' * 64}.filez",  # to be continued
        f"{start}{'b' * 64}.filez",  # is in the repository
        f"{start}{'b' * 64}",  # part of a delta: of such a checksum nobody knows
        f"{start}{'c' * 64}.filez",  # in use, whatever it is
        f"fetch-4567-boot-{'a' * 64}.filez",
        f"fetch-4567-boot-{'a' * 64}",
        "fetch-unknown",
    ):
        (tmp_path / name).write_bytes(b"start")
    (tmp_path / f"fetch-9-{'d' * 64}").symlink_to("elsewhere")
    used = open_partial(tmp, f"{start}{'c' * 64}.filez")
    assert used is not None
    clean_tmp(
        tmp,
        BOOT,
        expiry_s=3600,
        drop_own=is_full,
        is_stored=lambda checksum: checksum[0] in {0xBB, 0xCC},
    )
    left = {f"{start}{'c' * 64}.filez", "fetch-unknown", f"fetch-9-{'d' * 64}"}
    if not is_full:
        left |= {f"{start}{'a' * 64}.filez", f"{start}{'b' * 64}"}
    assert set(os.listdir(tmp_path)) == left
    used.close()


def test_download_of_an_object_that_came_otherwise_goes(repo: Repo, tmp_path: Path) -> None:
    header = FileHeader(0, 0, 0o100644)
    content = b"content"
    checksum = content_checksum(header, (content,))
    download = tmp_path / f"repo/tmp/fetch-{repo.boot_id}-{checksum}.filez"
    download.write_bytes(b"start")
    with repo.transaction() as transaction:
        repo.store.put_content(checksum, header, content)
        transaction.commit()
    assert not download.exists()


# -- the lock ------------------------------------------------------------------------------------


def test_lock_nests_and_converts(tmp: Dir) -> None:
    mine, other = (RepoLock(tmp, timeout_s=0) for _ in range(2))
    with mine.held(exclusive=False):
        with other.held(exclusive=False):
            with pytest.raises(BlockingIOError) as caught:
                mine.acquire(exclusive=True)
            assert describe(caught.value) == (
                "Locking repo exclusive failed: Resource temporarily unavailable"
            )
        with (
            mine.held(exclusive=True),
            mine.held(exclusive=False),
            pytest.raises(BlockingIOError),
        ):
            other.acquire(exclusive=False)
        with other.held(exclusive=False):  # converted back
            pass
    with other.held(exclusive=True):
        pass


def test_lock_that_is_disabled_creates_no_file(tmp: Dir, tmp_path: Path) -> None:
    with RepoLock(tmp, timeout_s=0, enabled=False).held(exclusive=True):
        assert os.listdir(tmp_path) == []


def test_lock_waits_for_as_long_as_it_is_told(tmp: Dir, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.append(now.pop() + seconds))
    for seconds in (0, 3, 300):
        holder, waiting = RepoLock(tmp, timeout_s=0), RepoLock(tmp, timeout_s=seconds)
        started = now[0]
        with holder.held(exclusive=True), pytest.raises(BlockingIOError):
            waiting.acquire(exclusive=False)
        assert seconds <= now[0] - started <= seconds + 0.1


@pytest.fixture
def waiting_exclusively(tmp: Dir) -> Iterator[Callable[[], bool]]:
    """One shares the lock and another waits for it; gives what lets the first go and the other in.

    The function tells whether the other was still waiting.
    """
    holder, other = RepoLock(tmp, timeout_s=0), RepoLock(tmp, timeout_s=60)
    holder.acquire(exclusive=False)
    thread = threading.Thread(target=lambda: other.acquire(exclusive=True))
    thread.start()
    probe = LockFile(tmp, ".lock", 0o600)
    while probe.try_lock(exclusive=False):  # all of the file, as the reference does
        probe.unlock(WHOLE)
        time.sleep(0.001)
    probe.close()

    def let_in() -> bool:
        was_waiting = thread.is_alive()
        holder.release(exclusive=False)
        thread.join()
        other.release(exclusive=True)
        return was_waiting

    yield let_in
    thread.join()


def test_lock_newcomers_queue_behind_one_who_waits_for_all(
    tmp: Dir, waiting_exclusively: Callable[[], bool]
) -> None:
    newcomer = RepoLock(tmp, timeout_s=60)
    thread = threading.Thread(target=lambda: newcomer.acquire(exclusive=False))
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    assert waiting_exclusively()
    thread.join()
    newcomer.release(exclusive=False)


def test_lock_newcomer_without_time_to_wait_is_let_in(
    tmp: Dir, waiting_exclusively: Callable[[], bool]
) -> None:
    with RepoLock(tmp, timeout_s=0).held(exclusive=False):
        pass
    assert waiting_exclusively()


def test_lock_courtesy_ends_before_the_patience(
    tmp: Dir, waiting_exclusively: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "_COURTESY_S", 0.1)
    for timeout_s in (60, WAIT_FOREVER):
        with RepoLock(tmp, timeout_s=timeout_s).held(exclusive=False):
            pass
    assert waiting_exclusively()


@pytest.mark.parametrize("name", [".", "objects", "tmp", ".lock"])
def test_lock_is_none_that_scripts_take_around_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    repo = make_repo(tmp_path / "repo", "archive")
    (tmp_path / "tree").mkdir()
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("waits"))
    descriptor = os.open(repo / name, os.O_RDONLY | os.O_CREAT * (name == ".lock"))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        must(ours("commit", f"--repo={repo}", "-b", "main", tmp_path / "tree"))
        must(ours("summary", f"--repo={repo}", "-u"))
        must(ours("prune", f"--repo={repo}", "--refs-only"))
    finally:
        os.close(descriptor)
    assert os.listdir(repo / "tmp") == ["cache"]


def test_lock_turns_survive_what_a_killed_process_left(tmp: Dir, tmp_path: Path) -> None:
    left = tmp_path / "turn"
    left.touch()
    os.utime(left, (1000, 1000))
    with one_at_a_time(tmp, "turn"):
        assert left.stat().st_mtime > 1000  # not so old that others would clean it away
        assert try_lock_file(tmp, "turn", 0o600) is None
    assert not left.exists()


def test_lock_turns_go_on_without_the_rights(
    tmp: Dir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(lock_module, "try_lock_file", refuse)
    with one_at_a_time(tmp, "turn"):
        assert not (tmp_path / "turn").exists()


# -- free space ----------------------------------------------------------------------------------


def budget(directory: Dir, line: str) -> FreeSpace:
    return FreeSpace(directory, parse_config(f"[core]\nrepo_version=1\n{line}\n".encode()))


def test_budget_refuses_with_the_rule_and_the_size(tmp: Dir) -> None:
    space = budget(tmp, "min-free-space-size=900000GB")
    with pytest.raises(FreeSpaceError) as caught:
        space.take(100)
    block = tmp.statvfs().f_bsize
    assert str(caught.value) == (
        f"min-free-space-size {900000 * 1024}MB would be exceeded, "
        f"at least {block / 1000:.1f}\u00a0kB requested"
    )
    assert space.is_exceeded


def test_budget_of_zero_percent_is_unlimited(tmp: Dir) -> None:
    space = budget(tmp, "min-free-space-percent=0")
    space.take(1 << 62)
    space.give_back(1 << 62)
    assert not space.is_exceeded


def test_budget_counts_down_and_back(tmp: Dir) -> None:
    figures = tmp.statvfs()
    free = figures.f_bfree if os.geteuid() == 0 else figures.f_bavail
    all_free = free * figures.f_bsize
    space = budget(tmp, "min-free-space-size=1MB")
    half = all_free // 2
    space.take(half)
    with pytest.raises(FreeSpaceError):
        space.take(all_free)
    space.give_back(half)
    space.take(half)
