"""Directory handles: names relative to them, calls named in errors, writes that survive."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fault.power import every_cut, power_cut
from pyostree.errors import describe
from pyostree.fs.dir import Dir, random_name, read_all, write_all
from repo_lab import elsewhere


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Dir]:
    with Dir.at(tmp_path) as directory:
        yield directory


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda top: Dir.at(f"{top.label}/no"), "opendir({}/no): No such file or directory"),
        (
            lambda top: Dir.at(f"{top.label}/link", follow=False),
            "opendir({}/link): Not a directory",
        ),
        (lambda top: top.open_dir("no"), "opendir(no): No such file or directory"),
        (lambda top: top.open_dir("file"), "opendir(file): Not a directory"),
        (lambda top: top.open_dir("link", follow=False), "opendir(link): Not a directory"),
        (lambda top: top.walk("dir/link"), "opendir(link): Not a directory"),
        (lambda top: top.walk("dir/../file"), "Invalid argument"),
        (lambda top: top.make_dir("dir"), "mkdirat: File exists"),
        (lambda top: top.make_dir("file", exist_ok=True), "mkdirat: File exists"),
        (lambda top: top.make_dir("no/below"), "mkdirat: No such file or directory"),
        (lambda top: top.stat("no"), "fstatat(no): No such file or directory"),
        (lambda top: top.read_link("file"), "readlinkat(file): Invalid argument"),
        (lambda top: top.open_read("no"), "openat(no): No such file or directory"),
        (lambda top: top.read_file("dir"), "read(dir): Is a directory"),
        (
            lambda top: top.read_file("link", follow=False),
            "openat(link): Too many levels of symbolic links",
        ),
        (
            lambda top: top.read_file("pipe", follow=False),
            "read(pipe): No such device or address",
        ),
        (lambda top: top.read_file("file", max_bytes=3), "read(file): File too large"),
        (lambda top: top.create_file("no/file"), "openat(no/file): No such file or directory"),
        (
            lambda top: top.replace_file("no/file", b""),
            "open(O_TMPFILE): No such file or directory",
        ),
        (lambda top: top.symlink("x", "file"), "symlinkat: File exists"),
        (lambda top: top.rename("no", "x"), "renameat(no, x): No such file or directory"),
        (lambda top: top.remove("no"), "unlinkat(no): No such file or directory"),
        (lambda top: top.remove("dir"), "unlinkat(dir): Is a directory"),
        (lambda top: top.remove_dir("dir"), "unlinkat(dir): Directory not empty"),
        (lambda top: top.chmod("no", 0o600), "fchmodat: No such file or directory"),
        (lambda top: top.touch("no"), "utimensat: No such file or directory"),
        (lambda top: top.sync_file("no"), "openat(no): No such file or directory"),
    ],
)
def test_failing_call_is_named(top: Dir, operation: Callable[[Dir], object], message: str) -> None:
    path = Path(top.label)
    (path / "dir").mkdir()
    (path / "file").write_text("content")
    (path / "link").symlink_to("dir")
    (path / "dir/link").symlink_to("/etc")
    os.mkfifo(path / "pipe")
    with pytest.raises(OSError, match="Errno") as caught:
        operation(top)
    assert describe(caught.value) == message.format(path)


@pytest.mark.parametrize(
    ("path", "parent", "name"),
    [
        ("a/b", "a", "b"),
        ("b", ".", "b"),
        ("a/b/", "a", "b"),
        ("a/b//", "a", "b"),
        (".", ".", "."),
        ("/", "/", "."),
        ("//", "/", "."),
        ("/x", "/", "x"),
        ("", ".", ""),
    ],
)
def test_above_splits_off_the_last_component(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, parent: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    found, last = Dir.above(path)
    with found:
        assert (found.label, last) == (parent, name)


def test_handle_follows_its_directory_when_renamed(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with top.open_dir("old") as below:
        (tmp_path / "old").rename(tmp_path / "new")
        below.create_file("file", b"x")
    assert (tmp_path / "new/file").read_bytes() == b"x"


def test_walk_ignores_empty_and_dot_components(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    with top.walk("//a/./b//") as found:
        assert found.stat_self().st_ino == (tmp_path / "a/b").stat().st_ino


def test_close_twice_is_harmless_and_use_after_it_fails(tmp_path: Path) -> None:
    directory = Dir.at(tmp_path)
    copy = directory.duplicate()
    directory.close()
    directory.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        directory.list()
    with copy:
        assert copy.list() == []


def test_two_scans_of_one_directory_run_at_once(top: Dir, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}").touch()
    first, second = top.scan(), top.scan()
    next(first)
    assert len(list(second)) == 20
    assert len(list(first)) == 19


def test_make_dirs_keeps_what_exists(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(0o700)
    top.make_dirs("a/b/c")
    assert (tmp_path / "a/b/c").is_dir()
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert not top.make_dir("a", exist_ok=True)


def test_looking_at_things(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to("no")
    (tmp_path / "to-file").symlink_to("file")
    assert top.exists("dangling")
    assert not top.exists("no")
    assert not top.exists("file/below")
    assert top.is_file("to-file")
    assert not top.is_file("to-file", follow=False)
    assert not top.is_dir("dangling")
    assert top.list() == ["dangling", "file", "to-file"]
    assert top.read_link("dangling") == "no"


def test_create_file_leaves_an_existing_one(top: Dir, tmp_path: Path) -> None:
    assert top.create_file("file", b"first")
    assert not top.create_file("file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_replace_file_has_exactly_the_mode(top: Dir, tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        top.replace_file("file", b"new", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.parametrize("sync", [True, False])
def test_replace_file_power_cut_anywhere_leaves_old_or_new(tmp_path: Path, sync: bool) -> None:
    (tmp_path / "below").mkdir()
    path = tmp_path / "below/file"
    for number in every_cut():
        path.write_bytes(b"old")
        with Dir.at(tmp_path) as top, power_cut(before_call=number) as power:
            top.replace_file("below/file", b"new" * 1000, sync=sync)
        assert path.read_bytes() in (b"old", b"new" * 1000)
        assert all(name == "file" or name.startswith(".") for name in os.listdir(path.parent))
        if not power.was_cut:
            assert path.read_bytes() == b"new" * 1000
            break


def test_replace_symlink_power_cut_anywhere_leaves_old_or_new(tmp_path: Path) -> None:
    for number in every_cut():
        link = tmp_path / "link"
        link.unlink(missing_ok=True)
        link.symlink_to("old")
        with Dir.at(tmp_path) as top, power_cut(before_call=number) as power:
            top.replace_symlink("new", "link")
        assert os.readlink(link) in ("old", "new")
        if not power.was_cut:
            assert os.readlink(link) == "new"
            assert all(name == "link" or name.startswith(".") for name in os.listdir(tmp_path))
            break


def test_replace_file_syncs_content_before_and_directory_after_the_rename(tmp_path: Path) -> None:
    with Dir.at(tmp_path) as top, power_cut() as power:
        top.replace_file("file", b"new")
    assert [name for name, _ in power.calls if name in ("fsync", "rename", "write")] == [
        "write", "fsync", "rename", "fsync",
    ]  # fmt: skip


def test_remove_tree_follows_no_links(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    (tmp_path / "tree/a/b").mkdir(parents=True)
    (tmp_path / "tree/a/link").symlink_to(tmp_path / "precious")
    (tmp_path / "tree/file").touch()
    assert top.remove_tree("tree")
    assert not top.remove_tree("tree")
    assert top.list() == ["precious"]
    (tmp_path / "link").symlink_to("precious")
    assert top.remove_tree("link")
    assert (tmp_path / "precious/file").exists()


def test_remove_tree_of_many_levels_and_directories(top: Dir, tmp_path: Path) -> None:
    path = tmp_path / "tree"
    path.mkdir()
    for number in range(300):
        (path / f"d{number}").mkdir()
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path)
        for _ in range(1100):  # more than Python's limit of recursion
            os.mkdir("n")
            os.chdir("n")
    finally:
        os.chdir(here)
        os.close(here)
    assert top.remove_tree("tree")
    assert top.list() == []


def test_link_links_a_symlink_itself(top: Dir, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    top.link("link", top, "second")
    assert os.readlink(tmp_path / "second") == "nowhere"


def test_copy_times_copies_both(top: Dir, tmp_path: Path) -> None:
    for name in ("source", "link"):
        (tmp_path / name).symlink_to("nowhere")
    os.utime(tmp_path / "source", ns=(5_000_000_001, 6_000_000_002), follow_symlinks=False)
    top.copy_times("source", "link")
    status = (tmp_path / "link").lstat()
    assert (status.st_atime_ns, status.st_mtime_ns) == (5_000_000_001, 6_000_000_002)


def test_random_name_has_six_characters_and_varies() -> None:
    names = {random_name("tmp.") for _ in range(50)}
    assert len(names) == 50
    assert all(len(name) == 10 and name[4:].isalnum() for name in names)


@pytest.mark.parametrize("size", [0, 1, 1000, (1 << 20) + 1])
def test_read_all_of_files_and_pipes(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    assert read_all(fd) == b"x" * size
    os.close(fd)
    reader, writer = os.pipe()
    write_all(writer, b"y" * min(size, 60_000))
    os.close(writer)
    assert read_all(reader) == b"y" * min(size, 60_000)
    os.close(reader)


def test_read_all_over_the_limit_is_an_error() -> None:
    fd = os.open("/dev/zero", os.O_RDONLY)
    with pytest.raises(OSError, match="File too large") as caught:
        read_all(fd, max_bytes=1000)
    assert caught.value.errno == errno.EFBIG
    os.close(fd)


def test_write_all_goes_on_after_short_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def short(_fd: int, data: memoryview) -> int:
        written.append(bytes(data[:3]))
        return min(3, len(data))

    monkeypatch.setattr(os, "write", short)
    write_all(9, b"abcdefgh")
    assert written == [b"abc", b"def", b"gh"]


def test_remove_tree_that_another_process_removes_at_the_same_time(
    top: Dir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def remove_first(path: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        for gone in ("tree/below", "tree"):
            (tmp_path / gone).rmdir()
        return really_open(path, flags, *args, dir_fd=dir_fd)

    (tmp_path / "tree/below").mkdir(parents=True)
    monkeypatch.setattr(os, "open", remove_first)
    assert top.remove_tree("tree")
    assert not top.remove_tree("tree")


def test_replace_by_way_of_another_directory_leaves_nothing_beside_the_name(
    top: Dir, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "refs").mkdir()
    with top.open_dir("work") as work:
        for content in (b"old", b"new"):
            top.replace_file("refs/file", content, work=work)
            top.replace_symlink(content.decode(), "refs/link", work=work)
        with power_cut(before_call=5):  # open, write, chmod, sync
            top.replace_file("refs/file", b"lost", work=work)
    assert (tmp_path / "refs/file").read_bytes() == b"new"
    assert os.readlink(tmp_path / "refs/link") == "new"
    assert sorted(os.listdir(tmp_path / "refs")) == ["file", "link"]
    assert len(os.listdir(tmp_path / "work")) == 1


def test_replace_by_way_of_another_file_system(top: Dir, tmp_path: Path) -> None:
    with elsewhere(tmp_path) as work:
        top.replace_file("file", b"new", work=work)
        top.replace_symlink("target", "link", work=work)
        assert work.list() == []
    assert (tmp_path / "file").read_bytes() == b"new"
    assert os.readlink(tmp_path / "link") == "target"
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


def test_list_does_not_go_by_what_was_there_when_it_was_opened(
    top: Dir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On btrfs an open directory does not list names younger than itself."""
    listed = []

    def listdir(fd: int) -> list[str]:
        listed.append(fd)
        return real(fd)

    real = os.listdir
    monkeypatch.setattr("pyostree.fs.dir_handle.os.listdir", listdir)
    (tmp_path / "new").touch()
    assert top.list() == ["new"]
    assert top.fileno() not in listed
