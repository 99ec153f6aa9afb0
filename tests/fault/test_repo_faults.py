"""Full disks, missing permissions, killed processes, other processes: clear errors, whole repos."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyostree.repo.repo import Repo
from repo_lab import (
    MODES,
    OURS,
    REFERENCE,
    Command,
    Result,
    check_both,
    commit,
    listing,
    make_repo,
    must,
    ours,
    reference,
    refs_of,
    run_process,
    write_files,
)

NOBODY = 65534
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and other users need root")


def as_nobody(program: str, *words: str | Path) -> Result:
    """Run a command as a user without any rights."""
    user = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
    return run_process("/usr/bin/setpriv", *user, program, *words)


def synced(repo: Path) -> Path:
    config = repo / "config"
    config.write_text(config.read_text().replace("fsync=false", "fsync=true"))
    return repo


# -- killed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["archive", "bare"])
def test_commit_killed_at_random_moments_never_harms(tmp_path: Path, mode: str) -> None:
    repo = synced(make_repo(tmp_path / "repo", mode))
    tree = write_files(tmp_path / "tree", {f"d{n % 7}/f{n}": f"{n}" * 50 for n in range(120)})
    first = commit(repo, "-b", "main", "--no-bindings", tree)
    words = [OURS, "commit", f"--repo={repo}", "-b", "main", "--timestamp=@1700000000"]
    started = time.monotonic()
    must(run_process(*words, "--parent=none", tree))
    duration = time.monotonic() - started
    chance = random.Random(7)
    for attempt in range(8):
        write_files(tree, {"changing": f"{attempt}", f"new{attempt}": f"{attempt}" * 1000})
        before = refs_of(repo)["heads/main"]
        process = subprocess.Popen([*words, tree], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(chance.uniform(0.2, 1.0) * duration)
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate()
        must(reference("fsck", f"--repo={repo}", "-q"))
        refs = refs_of(repo)
        assert refs["heads/main"] == before or refs["heads/main"] == out.decode() or not out
        names = must(reference("refs", f"--repo={repo}")).split()
        assert names == ["main"]
        must(run_process(*words, tree))
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        must(ours("checkout", f"--repo={repo}", "-U", "main", tmp_path / "out"))
        assert (tmp_path / "out/changing").read_text() == f"{attempt}"
    check_both(repo)
    must(ours("checkout", f"--repo={repo}", "-U", first, tmp_path / "first"))


# -- full disk -----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@ROOT
@pytest.mark.parametrize("mode", ["archive", "bare", "bare-user-only"])
@pytest.mark.parametrize("fsync", ["true", "false"])
def test_commit_disk_full_clear_error_and_next_run_works(
    small_disk: Path, tmp_path: Path, mode: str, fsync: str
) -> None:
    repo = make_repo(small_disk / "repo", mode, fsync=fsync)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "first").write_text("first")
    commit(repo, "-b", "main", tree)
    for number in range(30):
        (tree / f"random{number}").write_bytes(random.Random(number).randbytes(200_000))
    result = ours("commit", f"--repo={repo}", "-b", "main", tree)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("error: ")
    assert result.err.endswith("No space left on device\n")
    check_both(repo)
    again = ours("commit", f"--repo={repo}", "-b", "main", tree)
    assert again.status == 1
    for number in range(6, 30):
        (tree / f"random{number}").unlink()
    must(ours("prune", f"--repo={repo}", "--refs-only"))
    result = ours("commit", f"--repo={repo}", "-b", "main", tree)
    if result.status:  # staged objects of the failed run are kept for the next: they fill the disk
        subprocess.run(["mount", "-o", "remount,size=12m", small_disk], check=True)
        must(ours("commit", f"--repo={repo}", "-b", "main", tree))
    check_both(repo)


@ROOT
def test_set_ref_and_config_disk_full_old_state_stays(small_disk: Path, tmp_path: Path) -> None:
    repo = make_repo(small_disk / "repo")
    tree = write_files(tmp_path / "tree", {"file": "x"})
    first = commit(repo, "-b", "main", tree)
    with contextlib.suppress(OSError), (small_disk / "ballast").open("wb", 0) as ballast:
        while True:
            ballast.write(bytes(1000))
    config = (repo / "config").read_bytes()
    for words in (["refs", "--create=new", "main"], ["config", "set", "core.x", "y"]):
        result = ours(words[0], f"--repo={repo}", *words[1:])
        assert result.status == 1
        assert "No space left on device" in result.err
    assert (repo / "config").read_bytes() == config
    assert refs_of(repo) == {"heads/main": first + "\n"}
    check_both(repo)


def beyond_a_percent(path: Path) -> int:
    """Return a size that 99 % of an even nearly empty file system leave no room for."""
    figures = os.statvfs(path)
    spare = figures.f_bfree - figures.f_blocks * 99 // 100
    return (spare + figures.f_blocks // 200) * figures.f_frsize


@pytest.mark.parametrize(
    "setting",
    [{"min_free_space_size": "900000GB"}, {"min_free_space_percent": "99"}],
    ids=["size", "percent"],
)
@pytest.mark.parametrize("mode", ["archive", "bare"])
def test_commit_minimum_of_free_space_same_refusal(
    tmp_path: Path, mode: str, setting: dict[str, str]
) -> None:
    tree = write_files(tmp_path / "tree", {"file": bytes(20_000)})
    os.truncate(tmp_path / "tree/file", max(20_000, beyond_a_percent(tmp_path)))
    errors = []
    for command in (ours, reference):
        repo = make_repo(tmp_path / command.__name__, mode, **setting)
        if "min_free_space_size" in setting:
            config = repo / "config"
            config.write_text(config.read_text().replace("min-free-space-percent=0\n", ""))
        result = command("commit", f"--repo={repo}", "-b", "main", tree)
        assert result.status == 1
        errors.append(result.err)
        assert not list((repo / "tmp").glob("staging-*"))
        assert refs_of(repo) == {}
    assert errors[0] == errors[1]
    assert "would be exceeded, at least" in errors[0]
    assert errors[0].startswith("error: Writing content object: min-free-space-")


# -- no permission -------------------------------------------------------------------------------


@pytest.fixture
def open_place(tmp_path: Path) -> Path:
    """A directory that everybody can reach."""
    for directory in (tmp_path, *tmp_path.parents):
        if directory.owner() == "root" and directory != Path("/") and len(directory.parts) > 2:
            directory.chmod(directory.stat().st_mode | 0o055)
    return tmp_path


@ROOT
@pytest.mark.parametrize("mode", MODES)
def test_repository_of_another_user_is_read_only(open_place: Path, mode: str) -> None:
    repo = make_repo(open_place / "repo", mode)
    tree = write_files(open_place / "tree", {"file": "content", "dir/other": "x"})
    (tree / "link").symlink_to("file")
    commit(repo, "-b", "main", tree)
    home = open_place / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    for words in (
        ["commit", "-b", "main", tree],
        ["refs", "--create=new", "main"],
        ["config", "set", "core.x", "y"],
        ["prune"],
        ["reset", "main", "main"],
    ):
        results = [
            as_nobody(program, words[0], f"--repo={repo}", *words[1:])
            for program in (OURS, REFERENCE)
        ]
        assert results[0].status == results[1].status == 1, words
        assert "Permission denied" in results[0].err
        assert "Traceback" not in results[0].err
    assert results[0].err == results[1].err
    for words in (["refs"], ["log", "main"], ["ls", "-R", "main"], ["fsck", "-q"]):
        results = [
            as_nobody(program, words[0], f"--repo={repo}", *words[1:])
            for program in (OURS, REFERENCE)
        ]
        assert results[0].out == results[1].out or words[0] == "fsck"
        assert results[0].status == 0, results[0].err
    trees = []
    for program, name in ((OURS, "ours"), (REFERENCE, "theirs")):
        must(as_nobody(program, "checkout", f"--repo={repo}", "-U", "main", home / name))
        trees.append(listing(home / name))
    assert trees[0] == trees[1]


@ROOT
def test_commit_into_bare_as_user_with_foreign_owners_same_error(open_place: Path) -> None:
    tree = write_files(open_place / "tree", {"file": "x"})
    errors = []
    for program in (OURS, REFERENCE):
        repo = make_repo(open_place / Path(program).parts[1], "bare")
        subprocess.run(["chown", "-R", str(NOBODY), repo], check=True)
        errors.append(as_nobody(program, "commit", f"--repo={repo}", "-b", "x", tree))
    assert errors[0] == errors[1]
    assert errors[0].err.endswith("fchown: Operation not permitted\n")


@ROOT
@pytest.mark.parametrize("what", ["file", "directory", "destination", "object"])
def test_unreadable_parts_clear_error(open_place: Path, what: str) -> None:
    repo = make_repo(open_place / "repo", "bare-user")
    tree = write_files(open_place / "tree", {"ok": "1", "secret/file": "x", "closed": "y"})
    commit(repo, "-b", "main", tree)
    (tree / "closed").chmod(0o600 if what == "file" else 0o644)
    (tree / "secret").chmod(0o700 if what == "directory" else 0o755)
    if what == "object":
        for path in (repo / "objects").glob("??/*.file"):
            path.chmod(0)
    subprocess.run(["chown", "-R", str(NOBODY), repo], check=True)
    if what == "object":
        subprocess.run(["chown", "-R", "0", repo / "objects"], check=True)
    words: list[str | Path] = ["commit", f"--repo={repo}", "-b", "new", tree]
    if what in ("destination", "object"):
        target = open_place / "out"
        if what == "object":
            target = open_place / "mine/out"
            target.parent.mkdir()
            os.chown(target.parent, NOBODY, NOBODY)
        words = ["checkout", f"--repo={repo}", "-U", "main", target]
    result = as_nobody(OURS, *words)
    assert (result.status, result.out) == (1, "")
    assert result.err.endswith("Permission denied\n")
    assert result.err.startswith("error: ")
    assert len(result.err.splitlines()) == 1


@ROOT
def test_commit_staging_directory_of_another_user_is_left_alone(open_place: Path) -> None:
    repo = make_repo(open_place / "repo", "bare-user-only")
    tree = write_files(open_place / "tree", {"file": "x"})
    with Repo.open(repo) as opened, opened.transaction():
        # While another user's transaction runs; and after it left an unlocked directory behind.
        subprocess.run(["chmod", "-R", "a+rwX", repo], check=True)
        for lock in (repo / "tmp").glob("*-lock"):
            lock.chmod(0o600)
        must(as_nobody(OURS, "commit", f"--repo={repo}", "-b", "while", tree))
    check_both(repo)


# -- several processes ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["archive", "bare-user"])
def test_concurrent_commits_of_both_commands_all_succeed(tmp_path: Path, mode: str) -> None:
    repo = synced(make_repo(tmp_path / "repo", mode))
    shared = {f"shared/{number}": f"{number}" * 20 for number in range(100)}
    processes = []
    for number in range(6):
        tree = write_files(tmp_path / f"tree{number}", {**shared, "own": f"{number}"})
        program = REFERENCE if number % 3 == 2 else OURS
        words = ["commit", f"--repo={repo}", "-b", f"branch/{number}", tree]
        processes.append(subprocess.Popen([program, *words], stdout=subprocess.PIPE))
    for number, process in enumerate(processes):
        out, _ = process.communicate()
        assert process.returncode == 0
        assert refs_of(repo)[f"heads/branch/{number}"] == out.decode()
    check_both(repo)
    assert not list((repo / "tmp").glob("staging-*"))


HOLD = """
import sys
from pyostree.repo.repo import Repo
with Repo.open(sys.argv[1]) as repo, repo.lock.held(exclusive=sys.argv[2] == "exclusive"):
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def held_lock(repo: Path, kind: str) -> Iterator[Callable[[], None]]:
    """Let another process hold the lock; gives a function that ends it."""
    python = str(Path(OURS).with_name("python"))
    with subprocess.Popen(
        [python, "-c", HOLD, repo, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield process.stdin.close
        process.stdin.close()


@pytest.mark.parametrize(
    ("kind", "words", "message"),
    [
        ("shared", ["prune"], "Locking repo exclusive failed: Resource temporarily unavailable"),
        ("exclusive", ["commit", "-b", "b", "TREE"],
         "Locking repo shared failed: Resource temporarily unavailable"),
        ("exclusive", ["prune"],
         "Locking repo exclusive failed: Resource temporarily unavailable"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", [ours, reference], ids=["ours", "theirs"])
def test_lock_held_by_another_process_timeout_is_an_error(
    tmp_path: Path, kind: str, words: list[str], message: str, *, command: Command
) -> None:
    repo = make_repo(tmp_path / "repo", lock_timeout_secs="0")
    tree = write_files(tmp_path / "tree", {"file": "x"})
    commit(repo, "-b", "main", tree)
    arguments = [str(tree) if word == "TREE" else word for word in words[1:]]
    with held_lock(repo, kind):
        result = command(words[0], f"--repo={repo}", *arguments)
        assert result.status == 1
        assert result.err == f"error: {message}\n"
        # Who only reads needs no lock.
        must(command("fsck", f"--repo={repo}", "-q"))
        must(command("checkout", f"--repo={repo}", "-U", "main", tmp_path / "out"))
    must(command(words[0], f"--repo={repo}", *arguments))


def test_lock_held_shared_lets_commits_pass(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", lock_timeout_secs="0")
    tree = write_files(tmp_path / "tree", {"file": "x"})
    with held_lock(repo, "shared"):
        for command in (ours, reference):
            must(command("commit", f"--repo={repo}", "-b", "main", tree))


@pytest.mark.parametrize("setting", [{"locking": "false"}, {"lock_timeout_secs": "-2"}])
def test_lock_disabled_is_not_waited_for(tmp_path: Path, setting: dict[str, str]) -> None:
    repo = make_repo(tmp_path / "repo", lock_timeout_secs="0")
    tree = write_files(tmp_path / "tree", {"file": "x"})
    with held_lock(repo, "exclusive"):
        config = repo / "config"
        config.write_text(config.read_text() + "".join(
            f"{key.replace('_', '-')}={value}\n" for key, value in setting.items()))  # fmt: skip
        must(ours("commit", f"--repo={repo}", "-b", "main", tree))


@pytest.mark.parametrize("timeout", ["-1", "300"])
def test_lock_released_in_time_lets_the_waiting_process_go_on(tmp_path: Path, timeout: str) -> None:
    repo = make_repo(tmp_path / "repo", lock_timeout_secs=timeout)
    commit(repo, "-b", "main", write_files(tmp_path / "tree", {"file": "x"}))
    with held_lock(repo, "shared") as let_go:
        waiting = subprocess.Popen([OURS, "prune", f"--repo={repo}"], stdout=subprocess.PIPE)
        let_go()
        out, _ = waiting.communicate()
    assert waiting.returncode == 0
    assert b"No unreachable objects" in out


def test_transaction_holds_off_prune_until_it_ends(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", lock_timeout_secs="0")
    with Repo.open(repo) as opened:
        with opened.transaction():
            assert run_process(OURS, "prune", f"--repo={repo}").status == 1
        must(run_process(OURS, "prune", f"--repo={repo}"))


# -- wrong things in the repository --------------------------------------------------------------


def put(path: Path, kind: str) -> None:
    """Replace an object by something that is no file."""
    path.unlink()
    match kind:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "socket":
            os.mknod(path, stat.S_IFSOCK | 0o644)
        case "device":
            os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(1, 5))  # /dev/zero never ends
        case "dangling":
            path.symlink_to("nowhere")
        case "loop":
            path.symlink_to(path.name)
        case "outside":
            path.symlink_to("/etc/passwd")
        case "empty":
            path.touch()


KINDS = ["directory", "fifo", "socket", "device", "dangling", "loop", "outside", "empty"]


@ROOT
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extension", ["commit", "dirtree", "dirmeta", "content"])
@pytest.mark.parametrize("mode", ["archive", "bare", "bare-user"])
def test_wrong_file_type_in_objects_is_a_clear_error(
    tmp_path: Path, mode: str, extension: str, kind: str
) -> None:
    repo = make_repo(tmp_path / "repo", mode)
    tree = write_files(tmp_path / "tree", {"dir/file": "content"})
    commit(repo, "-b", "main", tree)
    suffix = {"content": "filez" if mode == "archive" else "file"}.get(extension, extension)
    path = next((repo / "objects").glob(f"??/*.{suffix}"))
    put(path, kind)
    signal.alarm(60)  # what hangs is killed, not waited for
    try:
        for words in (["fsck", "-q"], ["checkout", "-U", "main", str(tmp_path / "out")]):
            result = ours(words[0], f"--repo={repo}", *words[1:])
            if result.status == 0 and words[0] == "checkout" and mode == "bare":
                break  # it trusts the store, as the reference does: fsck is there for that
            assert result.status == 1, words
            assert result.err.splitlines()[-1].startswith("error: ")
            assert not (tmp_path / "out/dir/file").exists() or extension == "dirmeta"
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
    finally:
        signal.alarm(0)


@pytest.mark.parametrize("missing", ["objects", "config", "refs", "refs/heads", "tmp", "state",
                                     "refs/remotes", "refs/mirrors", "extensions"])  # fmt: skip
@pytest.mark.parametrize("words", [["refs"], ["commit", "-b", "main"], ["fsck", "-q"]])
def test_missing_part_of_a_repository_same_outcome(
    tmp_path: Path, missing: str, words: list[str]
) -> None:
    tree = write_files(tmp_path / "tree", {"file": "x"})
    results = []
    for command in (ours, reference):
        repo = make_repo(tmp_path / "repo")
        commit(repo, "-b", "main", tree)
        gone = repo / missing
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
        more = [tree, "--timestamp=@5"] if words[0] == "commit" else []
        results.append(command(words[0], f"--repo={repo}", *words[1:], *more))
        shutil.rmtree(repo)
    if results[0].status:
        assert results[0] == results[1]
    else:  # a commit makes directories of refs anew where the reference fails
        assert results[1].status == 0 or (words[0] == "commit" and missing.startswith("refs"))


CORE = "[core]\nrepo_version=1\nmode=bare\n"
BAD_CONFIGS = {
    "": "Key file does not have group “core”",
    "[core]\nmode=bare\n": "Key file does not have key “repo_version” in group “core”",
    "[core]\nrepo_version=2\n": "Invalid repository version '2'",
    "[core]\nrepo_version=1 \n": None,
    CORE + "archive=true\n": 'This version of OSTree no longer supports "archive" repositories; '
    "use archive-z2 instead",
    CORE + "mode=other\n": "Invalid mode 'other' in repository configuration",
    CORE + "mode=\n": None,
    CORE + "mode=bare \n": "Invalid mode 'bare ' in repository configuration",
    CORE + "fsync=maybe\n": "Key file contains key “fsync” which has a value that cannot be "
    "interpreted.",
    CORE + "fsync=TRUE\n": None,
    CORE + "locking=2\n": None,
    CORE + "per-object-fsync=\n": None,
    CORE + "disable-xattrs=yes\n": None,
    CORE + "enable-uncompressed-cache=x\n": None,
    CORE + "min-free-space-size=12\n": "Invalid min-free-space-size '12': It should be of the "
    "format '123MB', '123GB' or '123TB'",
    CORE + "min-free-space-size=12MBB\n": None,
    CORE + "min-free-space-size=MB\n": None,
    CORE + "min-free-space-size=-1MB\n": None,
    CORE + "min-free-space-size=1KB\n": None,
    CORE + "min-free-space-size=99999999999999999TB\n": None,
    CORE + "min-free-space-percent=100\n": "Invalid min-free-space-percent '100'",
    CORE + "default-repo-finders=\n": "Invalid empty default-repo-finders configuration",
    CORE + "default-repo-finders=lan;foo\n": "Invalid configured repo-finder 'foo'",
    CORE + "parent=/nonexistent\n": "While checking parent repository '/nonexistent': "
    "opening repo: opendir(/nonexistent): No such file or directory",
    CORE + "[sysroot]\nbootloader=lilo\n": "Invalid bootloader configuration: 'lilo'",
    CORE + "no equals sign\n": None,
    "garbage\n": None,
    "key=value\n" + CORE: None,
    CORE + "[unclosed\n": None,
    CORE + "[]\n": None,
    CORE + "x=\xff\n": None,
}


@pytest.mark.parametrize("text", BAD_CONFIGS, ids=repr)
def test_bad_configuration_same_message(tmp_path: Path, text: str) -> None:
    repo = make_repo(tmp_path / "repo", "bare")
    (repo / "config").write_bytes(text.encode("latin-1"))
    mine, theirs = (command("refs", f"--repo={repo}") for command in (ours, reference))
    assert mine == theirs
    assert mine.status == 1
    if BAD_CONFIGS[text] is not None:
        assert mine.err == f"error: opening repo: {BAD_CONFIGS[text]}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Settings that the installed reference does not know, or takes for 0.
        ("min-free-space-percent=abc\n", "Invalid min-free-space-percent 'abc': must be a number"),
        ("min-free-space-percent=-1\n", "Invalid min-free-space-percent '-1'"),
        ("min-free-space-size=18446744073709551615MB\n",
         "Invalid min-free-space-size '18446744073709551615MB': Value was too high"),
        ("[ex-integrity]\nfsverity=perhaps\n", "Invalid tri-state value: perhaps"),
        ("lock-timeout-secs=-3\n", "Invalid lock-timeout-secs '-3'"),
        ("collection-id=bad\n", "Invalid collection ID bad"),
        ("[sysroot]\nboot-counting-tries=9\n",
         "Parsing sysroot.boot-counting-tries: Number “9” is out of bounds [0, 5]"),
    ],
)  # fmt: skip
def test_bad_configuration_message(tmp_path: Path, text: str, message: str) -> None:
    repo = make_repo(tmp_path / "repo", "bare")
    (repo / "config").write_text(CORE + text)
    assert ours("refs", f"--repo={repo}").err == f"error: opening repo: {message}\n"


def test_parent_of_itself_is_an_error(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", parent=str(tmp_path / "repo"))
    result = ours("refs", f"--repo={repo}")
    assert result.status == 1
    assert result.err.endswith("Too many levels of symbolic links\n")
