"""Temporary files: no name until they are whole, nothing left when they fail."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyostree.errors import describe
from pyostree.fs.dir import Dir
from pyostree.fs.tempfile import TempFile
from repo_lab import elsewhere


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Dir]:
    with Dir.at(tmp_path) as directory:
        yield directory


@pytest.fixture(params=["unnamed", "named", "fat"])
def _kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All ways: with unnamed files, on a file system that has none, and without hard links."""
    if request.param == "unnamed":
        return
    if request.param == "fat":
        monkeypatch.setattr(os, "link", _no_links)
    really_open = os.open

    def refusing(path: str, flags: int, *args: int, **options: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return really_open(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", refusing)


def _no_links(*_: object, **__: object) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.mark.usefixtures("_kind")
def test_link_gives_the_name_once(top: Dir, tmp_path: Path) -> None:
    with TempFile(top) as tmp:
        tmp.write(b"content")
        tmp.set_mode(0o640)
        assert tmp.link(top, "ab/cd.file")  # with its directory
        assert not tmp.link(top, "ab/cd.file")
    with TempFile(top) as other:
        assert not other.link(top, "ab/cd.file")
    assert (tmp_path / "ab/cd.file").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "ab/cd.file").stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["ab"]


@pytest.mark.usefixtures("_kind")
def test_without_link_nothing_is_left(top: Dir, tmp_path: Path) -> None:
    with TempFile(top) as tmp:
        tmp.write(b"content")
    tmp.close()
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("_kind")
@pytest.mark.parametrize("before", [None, "file", "symlink"])
def test_link_replacing(top: Dir, tmp_path: Path, before: str | None) -> None:
    if before == "file":
        (tmp_path / "name").write_text("old")
    elif before == "symlink":
        (tmp_path / "name").symlink_to("elsewhere")
    with TempFile(top) as tmp:
        tmp.write(b"new")
        tmp.link_replacing(top, "name")
    assert (tmp_path / "name").read_bytes() == b"new"
    assert not (tmp_path / "name").is_symlink()
    assert os.listdir(tmp_path) == ["name"]


@pytest.mark.usefixtures("_kind")
def test_link_replacing_a_directory_fails_and_leaves_nothing(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "name").mkdir()
    with TempFile(top) as tmp, pytest.raises(IsADirectoryError):
        tmp.link_replacing(top, "name")
    assert os.listdir(tmp_path) == ["name"]


def test_link_without_proc_is_an_error_not_a_loop(
    top: Dir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_args: object, **_options: object) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(os, "link", missing)
    with TempFile(top) as tmp, pytest.raises(FileNotFoundError) as caught:
        tmp.link(top, "ab/name")
    assert describe(caught.value) == "linkat(ab/name): No such file or directory"


def test_new_file_is_private_and_metadata_is_set(top: Dir, tmp_path: Path) -> None:
    with TempFile(top) as tmp:
        assert stat.S_IMODE(os.fstat(tmp.fd).st_mode) == 0o600
        tmp.write(memoryview(b"abcdef"))
        assert tmp.read_at(2, 3) == b"cde"
        tmp.set_times_ns(7_000_000_000, 8_000_000_000)
        tmp.set_mtime_ns(0)
        tmp.sync()
        tmp.link(top, "name")
    assert (tmp_path / "name").stat().st_mtime_ns == 0
    assert (tmp_path / "name").stat().st_atime > 1_000_000_000


def test_failures_name_the_call(top: Dir, tmp_path: Path) -> None:
    with Dir.at("/proc") as proc, pytest.raises(OSError, match="Errno") as caught:
        TempFile(proc)
    assert describe(caught.value) != ""
    with TempFile(top) as tmp:
        descriptor, tmp.fd = tmp.fd, 1 << 20
        for call, name in (
            (lambda: tmp.write(b"x"), "write"),
            (lambda: tmp.set_owner(0, 0), "fchown"),
            (lambda: tmp.set_mode(0o600), "fchmod"),
        ):
            with pytest.raises(OSError, match="Bad file") as caught:
                call()
            assert describe(caught.value) == f"{name}: Bad file descriptor"
        tmp.fd = descriptor
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("before", [None, "old"])
def test_link_replacing_by_way_of_another_directory(
    top: Dir, tmp_path: Path, before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed: list[dict[str, int]] = []
    monkeypatch.setattr(os, "rename", _noting(renamed, os.rename))
    (tmp_path / "work").mkdir()
    if before is not None:
        (tmp_path / "name").write_text(before)
    with top.open_dir("work") as work, TempFile(top) as tmp:
        tmp.write(b"new")
        tmp.link_replacing(top, "name", work=work)
        expected = [] if before is None else [work.fileno()]
    assert (tmp_path / "name").read_text() == "new"
    assert [options["src_dir_fd"] for options in renamed] == expected
    assert list((tmp_path / "work").iterdir()) == []


def test_link_replacing_when_the_other_directory_is_elsewhere(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "name").write_text("old")
    with elsewhere(tmp_path) as other, TempFile(top) as tmp:
        tmp.write(b"new")
        tmp.link_replacing(top, "name", work=other)
    assert (tmp_path / "name").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def _noting(calls: list[dict[str, int]], function: Callable[..., None]) -> Callable[..., None]:
    def noted(*args: str, **options: int) -> None:
        calls.append(options)
        function(*args, **options)

    return noted
