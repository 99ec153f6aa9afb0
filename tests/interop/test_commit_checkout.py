"""The same tree gets the same checksum and the same files from both commands, in every mode."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from repo_lab import (
    MODES,
    OURS,
    REFERENCE,
    Command,
    check_both,
    commit,
    digest_of,
    listing,
    make_repo,
    make_tree,
    must,
    object_names,
    ours,
    reference,
    refs_of,
    run_process,
    stored_objects,
    write_files,
)

# Version 2 of the kernel's structure, effective: cap_net_raw.
_NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
_LARGE_BYTES = (40 << 20) + 12345
_SYMLINK_MAX = 4095


# -- one tree per matter of interest -------------------------------------------------------


def user_xattrs(root: Path) -> None:
    write_files(root, {"file": "x", "dir": None, "many": "y"})
    os.setxattr(root / "file", "user.zeta", b"last")
    os.setxattr(root / "file", "user.alpha", b"first")
    os.setxattr(root / "file", "user.empty", b"")
    os.setxattr(root / "dir", "user.empty", b"")
    os.setxattr(root / "dir", "user.binary", bytes(range(256)))
    for number in range(40):
        os.setxattr(root / "many", f"user.a{number}", b"v" * number)
    os.setxattr(root, "user.root", b"1")


def capabilities(root: Path) -> None:
    write_files(root, {"ping": "x", "setuid": "y"})
    (root / "setuid").chmod(0o6755)
    os.setxattr(root / "ping", "security.capability", _NET_RAW)
    os.setxattr(root / "setuid", "security.capability", _NET_RAW)
    os.setxattr(root / "ping", "trusted.secret", b"value")


def symlink_xattrs(root: Path) -> None:
    root.mkdir()
    (root / "link").symlink_to("target")
    os.setxattr(root / "link", "trusted.note", b"on a link", follow_symlinks=False)


def symlinks(root: Path) -> None:
    write_files(root, {"dir/file": "x"})
    targets = {
        "relative": "dir/file",
        "absolute": "/etc/passwd",
        "dangling": "no/such/thing",
        "loop": "loop",
        "to-dir": "dir",
        "up": "../../../outside",
        "spaces": " a b ",
        "unicode": "zürich/東京",
        "long": "x" * _SYMLINK_MAX,
        "exotic": "line\nbreak",
    }
    for name, target in targets.items():
        (root / name).symlink_to(target)


def special_modes(root: Path) -> None:
    modes = [0, 0o1, 0o111, 0o400, 0o644, 0o666, 0o777, 0o1644, 0o2755, 0o4755, 0o6755, 0o7777]
    for mode in modes:
        write_files(root, {f"file-{mode:o}": f"{mode}", f"dir-{mode:o}": None})
        (root / f"file-{mode:o}").chmod(mode)
        (root / f"dir-{mode:o}").chmod(mode)


def owners(root: Path) -> None:
    write_files(root, {"a": "x", "b": "x", "setuid": "x", "dir/file": "x"})
    (root / "link").symlink_to("a")
    for name, uid, gid in (("a", 1, 2), ("b", 4294967294, 65534), ("setuid", 33, 33)):
        os.chown(root / name, uid, gid)
    os.chown(root / "link", 12, 34, follow_symlinks=False)
    os.chown(root / "dir", 1000, 0)
    (root / "setuid").chmod(0o4755)


def sizes(root: Path) -> None:
    numbers = (0, 1, 511, 512, 513, 4095, 4096, 65535, 65536, 65537, (1 << 20) + 1)
    files = {f"size-{size}": bytes(range(256)) * (size // 256) + b"z" * (size % 256)
             for size in numbers}  # fmt: skip
    write_files(root, {**files, "also-empty": "", "sub/empty": ""})


def odd_names(root: Path) -> None:
    names = [
        " ",
        "with space",
        " lead",
        "trail ",
        "-dash",
        "--option",
        "new\nline",
        "tab\tbell\a",
        "é",
        "e\u0301",
        "日本語",
        "\U0001f600",
        "n" * 255,
        "€" * 85,
        "quote'\"",
        "back\\slash",
        "*?[x]",
        "...",
        ".hidden",
        "a.b.c",
        "#x#",
        "percent%20",
        "\x7f",
        "\x01",
    ]
    write_files(root, {name: name for name in names})
    write_files(root, {f"dirs/{name}/file": name for name in names})


def name_order(root: Path) -> None:
    # Sorted by bytes: neither by length, nor by letter case, nor by UTF-16 units.
    names = ["a", "B", "aa", "a.b", "a-b", "a_b", "é", "z", "\ufffd", "\U00010000", "0", "10", "9"]
    write_files(root, {**dict.fromkeys(names, "x"), **{f"dir{name}": None for name in names}})


def empty_tree(root: Path) -> None:
    root.mkdir()


def one_directory_of_5000_files(root: Path) -> None:
    root.mkdir()
    for number in range(5000):
        (root / f"file-{number}").write_bytes(b"%d" % (number % 50))


def many_directories(root: Path) -> None:
    for number in range(1500):
        (root / f"d{number % 30}/e{number}").mkdir(parents=True)


def deep_directories(root: Path) -> None:
    root.mkdir()
    with in_depth(root, ["d"] * 300):
        Path("leaf").write_text("deep")


def hard_links(root: Path) -> None:
    write_files(root, {"one": "shared"})
    os.link(root / "one", root / "two")


def dirtrees_of_255_bytes(root: Path) -> None:
    # Framing offsets become wider where the whole exceeds 255 bytes.
    for count in (4, 5, 6, 7):
        for number in range(count):
            write_files(root, {f"d{count}/file-{number:05}": ""})


ANY_MODE = [
    empty_tree,
    sizes,
    odd_names,
    name_order,
    symlinks,
    hard_links,
    deep_directories,
    dirtrees_of_255_bytes,
    special_modes,
    user_xattrs,
    capabilities,
    symlink_xattrs,
    owners,
    make_tree,
]
MANY = [many_directories, one_directory_of_5000_files]


@contextlib.contextmanager
def in_depth(root: Path, parts: list[str]) -> Iterator[None]:
    """Make directories below each other, deeper than a path can name, and work in the last."""
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(root)
        for part in parts:
            os.mkdir(part)
            os.chdir(part)
        yield
    finally:
        os.chdir(before)
        os.close(before)


# -- commits -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "mode"),
    [
        *((build, mode) for build in ANY_MODE for mode in MODES),
        *((build, mode) for build in MANY for mode in ("archive", "bare")),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_commit_same_tree_same_objects_on_the_disk(
    tmp_path: Path, build: Callable[[Path], object], mode: str
) -> None:
    tree = tmp_path / "tree"
    build(tree)
    mine, theirs = (make_repo(tmp_path / name, mode) for name in ("mine", "theirs"))
    words = ("-b", "main", "-s", "Subject", "-m", "Body\n\nmore", tree)
    assert commit(mine, *words) == commit(theirs, *words, command=reference)
    assert stored_objects(mine) == stored_objects(theirs)
    assert refs_of(mine) == refs_of(theirs)
    check_both(mine)
    assert ours("fsck", f"--repo={theirs}", "-q").status == 0


@pytest.mark.parametrize("mode", MODES)
def test_commit_large_files_same_checksum(tmp_path: Path, mode: str) -> None:
    tree = write_files(tmp_path / "tree", {"zeros": "", "mixed": ""})
    os.truncate(tree / "zeros", _LARGE_BYTES)
    with (tree / "mixed").open("wb") as file:
        for number in range(5):  # partly compressible
            file.write(bytes([number]) * (1 << 20) + os.urandom(1 << 20))
    repo = make_repo(tmp_path / "repo", mode)
    first = commit(repo, "-b", "main", tree)
    assert commit(repo, "-b", "other", "--parent=none", "--no-bindings", tree) == commit(
        repo, "-b", "other", "--parent=none", "--no-bindings", tree, command=reference
    )
    check_both(repo)
    for number, command in enumerate((ours, reference)):
        words = () if mode == "bare" else ("-U",)
        must(command("checkout", f"--repo={repo}", *words, first, tmp_path / f"out{number}"))
        for name in ("zeros", "mixed"):
            assert digest_of(tmp_path / f"out{number}/{name}") == digest_of(tree / name)


@pytest.mark.parametrize("mode", ["archive", "bare-user"])
def test_commit_and_checkout_deeper_than_a_path_can_name(tmp_path: Path, mode: str) -> None:
    parts = ["directory-with-a-long-name"] * 200  # 5,400 bytes of path
    tree = tmp_path / "tree"
    tree.mkdir()
    with in_depth(tree, parts):
        Path("leaf").write_text("deep")
    repo = make_repo(tmp_path / "repo", mode)
    # The reference holds one open directory per level, too: it copes.
    assert commit(repo, "-b", "x", "--orphan", tree) == commit(
        repo, "-b", "x", "--orphan", tree, command=reference
    )
    check_both(repo)
    must(ours("checkout", f"--repo={repo}", "-U", "x", tmp_path / "out"))
    must(reference("checkout", f"--repo={repo}", "-U", "x", tmp_path / "out2"))
    for name in ("out", "out2", "tree"):
        before = os.open(".", os.O_RDONLY)
        os.chdir(tmp_path / name)
        for part in parts:
            os.chdir(part)
        assert Path("leaf").read_text() == "deep"
        os.chdir(before)
        os.close(before)
        shutil.rmtree(tmp_path / name)


def test_checkout_and_commit_few_open_files_allowed_succeed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for number in range(3000):
        (tree / f"d{number}").mkdir(parents=True)
    repo = make_repo(tmp_path / "repo", "bare-user")
    limit = ("--nofile=1024:1024", OURS)
    committed = run_process("/usr/bin/prlimit", *limit, "commit", f"--repo={repo}", "-b", "x", tree)
    assert committed.status == 0, committed.err
    done = run_process(
        "/usr/bin/prlimit", *limit, "checkout", f"--repo={repo}", "-U", "x", tmp_path / "out"
    )
    assert done.status == 0, done.err
    assert len(os.listdir(tmp_path / "out")) == 3000


def make_special(path: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(path)
    else:
        os.mknod(path, stat.S_IFSOCK | 0o644)


@pytest.mark.parametrize("kind", ["fifo", "socket"])
@pytest.mark.parametrize("options", [(), ("--skip-list=LIST",)], ids=["plain", "skipped"])
def test_commit_special_file_same_refusal(
    tmp_path: Path, kind: str, options: tuple[str, ...]
) -> None:
    tree = write_files(tmp_path / "tree", {"file": "x"})
    make_special(tree / "odd", kind)
    (tmp_path / "list").write_text("/odd\n")
    words = [word.replace("LIST", str(tmp_path / "list")) for word in options]
    repo = make_repo(tmp_path / "repo")
    results = [
        command("commit", f"--repo={repo}", "-b", "x", *words, tree)
        for command in (ours, reference)
    ]
    assert results[0] == results[1]
    assert results[0].err == "error: Not a regular file or symlink: odd\n"


@pytest.mark.parametrize("place", ["file", "dir", "symlink-target", "symlink-name"])
def test_commit_name_not_utf8_clear_error(tmp_path: Path, place: str) -> None:
    tree = write_files(tmp_path / "tree", {"a": "x"})
    bad = os.fsencode(tree) + b"/bad-\xff\xfe"
    if place == "file":
        Path(os.fsdecode(bad)).write_text("x")
    elif place == "dir":
        os.mkdir(bad)
    elif place == "symlink-name":
        os.symlink("a", bad)
    else:
        os.symlink(b"bad-\xff", os.fsencode(tree / "link"))
    repo = make_repo(tmp_path / "repo")
    result = ours("commit", f"--repo={repo}", "-b", "x", tree)
    assert (result.status, result.out) == (1, "")
    assert "UTF-8" in result.err
    assert refs_of(repo) == {}
    assert ours("fsck", f"--repo={repo}", "-q").status == 0
    if place != "symlink-target":  # the reference writes an object that it cannot read back
        assert result.err == reference("commit", f"--repo={repo}", "-b", "x", tree).err


# -- reading what the other wrote ------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("user", [True, False], ids=["user", "plain"])
@pytest.mark.parametrize("writer", [ours, reference], ids=["ours", "theirs"])
def test_checkout_same_files_from_either_repository(
    tmp_path: Path, mode: str, user: bool, writer: Command
) -> None:
    repo = make_repo(tmp_path / "repo", mode)
    commit(repo, "-b", "main", make_tree(tmp_path / "tree"), command=writer)
    words = ["-U"] if user else []
    found = []
    for command in (ours, reference):
        target = tmp_path / "out"
        must(command("checkout", f"--repo={repo}", *words, "main", target))
        found.append(listing(target, repo))
        shutil.rmtree(target)
    assert found[0] == found[1]


@pytest.mark.parametrize("mode", ["bare", "bare-user", "archive"])
@pytest.mark.parametrize(
    "build",
    [user_xattrs, capabilities, symlink_xattrs, owners, special_modes, odd_names, symlinks],
    ids=lambda build: build.__name__,
)
def test_checkout_and_commit_again_gives_the_same_tree(
    tmp_path: Path, mode: str, build: Callable[[Path], object]
) -> None:
    tree = tmp_path / "tree"
    build(tree)
    repo = make_repo(tmp_path / "repo", mode)
    commit(repo, "-b", "main", tree)
    must(ours("checkout", f"--repo={repo}", "main", tmp_path / "out"))
    before = object_names(repo)
    words = ("-b", "again", "--no-bindings", "--parent=none")
    assert commit(repo, *words, tree) == commit(repo, *words, tmp_path / "out")
    assert len(object_names(repo) - before) == 1  # the commit without bindings


@pytest.mark.parametrize("mode", MODES)
def test_commits_of_both_into_one_repository_share_all_objects(tmp_path: Path, mode: str) -> None:
    repo = make_repo(tmp_path / "repo", mode)
    tree = make_tree(tmp_path / "tree")
    first = commit(repo, "-b", "main", "--parent=none", tree)
    inodes = {path: path.lstat().st_ino for path in (repo / "objects").glob("??/*")}
    assert commit(repo, "-b", "main", "--parent=none", tree, command=reference) == first
    # 2022.7 replaces existing objects; in ours they stay, hard links to them included.
    assert commit(repo, "-b", "main", "--parent=none", tree) == first
    assert set(inodes) == set((repo / "objects").glob("??/*"))


# -- generated trees -------------------------------------------------------------------------

# Name to (kind, permissions, xattrs, content): bytes, a target, or another such dictionary.
Generated = dict[str, tuple[str, int, dict[str, bytes], Any]]

_NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: name not in (".", "..") and len(name.encode()) <= 255)
_XATTRS = st.dictionaries(
    st.from_regex(r"user\.[a-z.0-9]{1,12}", fullmatch=True), st.binary(max_size=40), max_size=4
)
_PERMISSIONS = st.integers(0, 0o7777)
_FILES = st.tuples(st.just("file"), _PERMISSIONS, _XATTRS, st.binary(max_size=3000))
_LINKS = st.tuples(
    st.just("link"),
    st.just(0),
    st.just({}),
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1)
    .filter(lambda target: len(target.encode()) <= _SYMLINK_MAX),
)  # fmt: skip
_TREES = st.recursive(
    st.dictionaries(_NAMES, _FILES | _LINKS, max_size=5),
    lambda below: st.dictionaries(
        _NAMES,
        st.tuples(st.just("dir"), _PERMISSIONS, _XATTRS, below) | _FILES | _LINKS,
        max_size=5,
    ),
    max_leaves=12,
)


def build_generated(root: Path, tree: Generated) -> None:
    root.mkdir()
    for name, (kind, mode, xattrs, content) in tree.items():
        path = root / name
        if kind == "link":
            path.symlink_to(content)
            continue
        if kind == "dir":
            build_generated(path, content)
        else:
            path.write_bytes(content)
        for key, value in xattrs.items():
            os.setxattr(path, key, value)
        path.chmod(mode)


@settings(max_examples=25)
@given(tree=_TREES, mode=st.sampled_from(MODES))
@example(tree={"a": ("file", 0o644, {"user.a": b"", "user.b": b"x"}, b"")}, mode="bare-user")
def test_generated_trees_same_checksum_and_checkout(tree: Generated, mode: str) -> None:
    with tempfile.TemporaryDirectory() as work:
        place = Path(work)
        build_generated(place / "tree", tree)
        mine, theirs = (make_repo(place / name, mode) for name in ("mine", "theirs"))
        words = ("-b", "main", place / "tree")
        assert commit(mine, *words) == commit(theirs, *words, command=reference)
        assert stored_objects(mine) == stored_objects(theirs)
        must(ours("checkout", f"--repo={theirs}", "main", place / "a"))
        must(reference("checkout", f"--repo={mine}", "main", place / "b"))
        assert listing(place / "a", theirs) == listing(place / "b", mine)


def test_reference_is_another_program() -> None:
    assert "libostree" in run_process(REFERENCE, "--version").out
    assert run_process(REFERENCE, "--version").out != run_process(OURS, "--version").out
