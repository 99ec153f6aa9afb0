"""Xattrs, locks, input files and kernel calls of the file-system layer."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import describe
from pyostree.fs import kernel
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.fs.kernel import copy_content, rename_noreplace, syncfs
from pyostree.fs.limits import raise_open_files_limit
from pyostree.fs.lock import LockFile
from pyostree.fs.special import make_whiteout_device
from pyostree.fs.xattr import (
    read_fd_xattr,
    read_fd_xattrs,
    read_path_xattrs,
    set_fd_xattr,
    set_fd_xattrs,
    set_path_xattrs,
)


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Dir]:
    with Dir.at(tmp_path) as directory:
        yield directory


# -- xattrs --------------------------------------------------------------------------------------


def test_xattrs_are_sorted_and_without_empty_ones(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wanted = ((b"user.b", b"2"), (b"user.a", b"\0\xff"))
    with InputFile(os.open(tmp_path / "file", os.O_RDWR)) as file:
        set_fd_xattrs(file.fd, wanted)
        set_fd_xattr(file.fd, "user.empty", b"")
        assert read_fd_xattrs(file.fd) == file.xattrs() == tuple(sorted(wanted))
        assert file.xattr("user.a") == b"\0\xff"
        assert file.xattr("user.none") is None
    assert read_path_xattrs(top, "file") == tuple(sorted(wanted))


def test_xattrs_of_a_directory_and_of_nothing(top: Dir, tmp_path: Path) -> None:
    assert read_fd_xattrs(top.fileno()) == ()
    set_path_xattrs(top, "no-such-file", ())  # nothing to do, nothing looked for
    with pytest.raises(FileNotFoundError) as caught:
        set_path_xattrs(top, "no-such-file", ((b"user.a", b"1"),))
    assert describe(caught.value) == "lsetxattr: No such file or directory"
    (tmp_path / "dir").mkdir()
    set_path_xattrs(top, "dir", ((b"user.a", b"1"),))
    assert os.getxattr(tmp_path / "dir", "user.a") == b"1"


@pytest.mark.parametrize("code", [errno.ENOTSUP, errno.ENOSYS])
def test_xattrs_unsupported_by_the_file_system_read_as_none(
    top: Dir, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "listxattr", refuse)
    monkeypatch.setattr(os, "getxattr", refuse)
    assert read_fd_xattrs(top.fileno()) == ()
    assert read_path_xattrs(top, "x") == ()
    assert read_fd_xattr(top.fileno(), "user.x") is None


def test_xattr_that_vanishes_while_being_read_is_skipped(
    top: Dir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "listxattr", lambda *_args, **_options: ["user.gone"])
    assert read_fd_xattrs(top.fileno()) == ()


# -- locks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "wanted", "is_free"),
    [(False, False, True), (False, True, False), (True, False, False), (True, True, False)],
)
def test_locks_exclude_each_other_within_a_process(
    top: Dir, held: bool, wanted: bool, is_free: bool
) -> None:
    first, second = LockFile(top, "lock", 0o600), LockFile(top, "lock", 0o600)
    assert first.try_lock(exclusive=held)
    assert second.try_lock(exclusive=wanted) == is_free
    first.close()
    assert second.try_lock(exclusive=wanted)
    second.close()
    second.close()


def test_lock_excludes_classic_record_locks_of_others(top: Dir, tmp_path: Path) -> None:
    lock = LockFile(top, "lock", 0o600)
    lock.wait_lock(exclusive=True)
    code = (
        "import fcntl, sys\n"
        "with open(sys.argv[1], 'r+') as file:\n"
        "    try: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "    except OSError: sys.exit(7)\n"
    )
    words = [sys.executable, "-c", code, tmp_path / "lock"]
    assert subprocess.run(words, check=False).returncode == 7
    lock.close()
    assert subprocess.run(words, check=False).returncode == 0


def test_lock_survives_closing_another_handle_of_the_file(top: Dir, tmp_path: Path) -> None:
    lock = LockFile(top, "lock", 0o600)
    assert lock.try_lock(exclusive=True)
    (tmp_path / "lock").read_bytes()  # would drop a classic record lock
    other = LockFile(top, "lock", 0o600)
    assert not other.try_lock(exclusive=True)
    assert lock.is_file((tmp_path / "lock").stat())
    assert not lock.is_file(None)
    assert not lock.is_file(tmp_path.stat())
    other.close()
    lock.close()


def test_lock_file_refuses_a_symlink(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="Errno") as caught:
        LockFile(top, "lock", 0o600)
    assert describe(caught.value) == "openat(lock): Too many levels of symbolic links"


def test_lock_falls_back_to_flock_on_old_kernels(top: Dir, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def unknown(*_args: object) -> None:
        raise OSError(errno.EINVAL, "unknown")

    monkeypatch.setattr(fcntl, "fcntl", unknown)
    first, second = LockFile(top, "lock", 0o600), LockFile(top, "lock", 0o600)
    assert first.try_lock(exclusive=True)
    assert not second.try_lock(exclusive=False)
    first.close()
    second.wait_lock(exclusive=False)
    second.close()


# -- files ---------------------------------------------------------------------------------------


def test_input_file_reads_in_all_ways(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789" * 200_000)
    with InputFile.open(top, "file") as file:
        assert file.read(3) == b"012"
        assert file.read_exactly(4) == b"3456"
        file.rewind()
        sizes = [len(chunk) for chunk in file.chunks()]
        assert sum(sizes) == file.status().st_size == 2_000_000
        assert max(sizes) <= 1 << 20
        file.rewind(1_999_999)
        assert file.read_exactly(10) == b"9"
        file.rewind()
        assert len(file.read_rest()) == 2_000_000
    file.close()
    with InputFile.duplicate(0) as copy:
        assert copy.fd > 2


@pytest.mark.parametrize("kind", ["symlink", "missing"])
def test_input_file_refuses_links(top: Dir, tmp_path: Path, kind: str) -> None:
    (tmp_path / "symlink").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="Errno") as caught:
        InputFile.open(top, kind)
    assert caught.value.errno == (errno.ELOOP if kind == "symlink" else errno.ENOENT)


def test_input_file_on_a_pipe_does_not_block(top: Dir, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with InputFile.open(top, "pipe") as file:
        assert stat.S_ISFIFO(file.status().st_mode)


# -- kernel calls --------------------------------------------------------------------------------


def test_rename_noreplace_keeps_what_exists(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    assert not rename_noreplace(top, "a", top, "b")
    assert (tmp_path / "b").read_text() == "b"
    assert rename_noreplace(top, "a", top, "c")
    assert sorted(os.listdir(tmp_path)) == ["b", "c"]
    with pytest.raises(FileNotFoundError) as caught:
        rename_noreplace(top, "no", top, "d")
    assert describe(caught.value) == "renameat(no, d): No such file or directory"


def test_rename_noreplace_without_kernel_support(
    top: Dir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OldKernel:
        def renameat2(self, *_args: object) -> int:
            import ctypes

            ctypes.set_errno(errno.EINVAL)
            return -1

    monkeypatch.setattr(kernel, "_libc", OldKernel)
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    assert not rename_noreplace(top, "a", top, "b")
    assert rename_noreplace(top, "a", top, "c")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"b": "b", "c": "a"}


def test_syncfs_of_a_closed_handle_is_an_error(tmp_path: Path) -> None:
    directory = Dir.at(tmp_path)
    syncfs(directory)
    directory.close()
    with pytest.raises(OSError, match="Bad file") as caught:
        syncfs(directory)
    assert describe(caught.value) == "syncfs: Bad file descriptor"


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
@pytest.mark.parametrize("refused", [(), ("copy_file_range",)])
def test_copy_content_whatever_the_kernel_offers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, refused: tuple[str, ...]
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(errno.EXDEV, "other device")

    for name in refused:
        monkeypatch.setattr(os, name, refuse)
    data = os.urandom(size)
    (tmp_path / "source").write_bytes(data)
    source = os.open(tmp_path / "source", os.O_RDONLY)
    target = os.open(tmp_path / "target", os.O_WRONLY | os.O_CREAT)
    copy_content(source, target)
    os.close(source)
    os.close(target)
    assert (tmp_path / "target").read_bytes() == data


@pytest.mark.skipif(os.geteuid() != 0, reason="devices need root")
def test_whiteout_device(top: Dir, tmp_path: Path) -> None:
    make_whiteout_device(top, "gone")
    status = (tmp_path / "gone").lstat()
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == 0
    with pytest.raises(FileExistsError) as caught:
        make_whiteout_device(top, "gone")
    assert describe(caught.value) == "Creating whiteout char device: File exists"


def test_open_files_limit_is_raised_to_what_is_allowed() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(500, before[1]), before[1]))
        raise_open_files_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
