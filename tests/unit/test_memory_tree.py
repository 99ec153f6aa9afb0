"""Trees in memory: what may be added, where content comes from, how layers go together."""

from __future__ import annotations

import io
import os
from array import array
from pathlib import Path

import pytest

from pyostree import (
    CommitLabels,
    CommitModifier,
    CommitOptions,
    CommitResult,
    ConflictError,
    FileEntry,
    FormatError,
    InvalidNameError,
    Layer,
    MemoryTree,
    Phase,
    Progress,
    Repo,
    RepoMode,
    TreeSource,
)
from repo_lab import make_repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.open(make_repo(tmp_path / "repo", "archive"))


def paths(repo: Repo, made: CommitResult) -> list[str]:
    return [entry.path for entry in repo.view(made.checksum).walk()]


@pytest.mark.parametrize("path", ["a//b", "a/./b", "../b", "a/..", "//", "a\0b", "\udcff"])
def test_add_bad_path_is_refused(path: str) -> None:
    tree = MemoryTree()
    with pytest.raises(InvalidNameError):
        tree.add_file(path, b"")
    with pytest.raises(InvalidNameError):
        tree.add_dir(path + "/x")


@pytest.mark.parametrize("path", ["", "/"])
def test_add_file_as_root_is_refused(path: str) -> None:
    with pytest.raises(InvalidNameError):
        MemoryTree().add_file(path, b"")


def test_add_where_another_kind_is_conflicts() -> None:
    tree = MemoryTree()
    tree.add_file("a/b", b"")
    with pytest.raises(ConflictError, match="directory with file: a"):
        tree.add_symlink("a", "x")
    with pytest.raises(ConflictError, match="file with directory: b"):
        tree.add_dir("a/b")
    with pytest.raises(ConflictError, match="file with directory: b"):
        tree.add_file("a/b/c", b"")


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": 0o100644},
        {"mode": -1},
        {"uid": -1},
        {"gid": 1 << 32},
        {"xattrs": {"": b""}},
        {"xattrs": ((b"user.a", b""), (b"user.a", b""))},
    ],
    ids=["type bits", "negative mode", "negative", "too large", "no name", "twice"],
)
def test_add_impossible_metadata_is_refused(wrong: dict[str, object]) -> None:
    tree = MemoryTree()
    with pytest.raises(ValueError):  # noqa: PT011  # each has its own words
        tree.add_file("a", b"", **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError):  # noqa: PT011
        tree.add_dir("a", **wrong)  # type: ignore[arg-type]


def test_add_symlink_bad_target_is_refused() -> None:
    for target in ("", "a\0b"):
        with pytest.raises(ValueError, match="symbolic link"):
            MemoryTree().add_symlink("a", target)
    with pytest.raises(FormatError, match="UTF-8"):
        MemoryTree().add_symlink("a", "\udcff")


class Pipe(io.RawIOBase):
    """A stream that cannot seek and gives little at once."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        count = min(self.left, size, 100_000)
        self.left -= count
        return b"x" * count


@pytest.mark.parametrize("size", [0, 5, 250_000, 9 << 20])
def test_content_from_any_source_is_the_same_object(repo: Repo, tmp_path: Path, size: int) -> None:
    data = b"x" * size
    (tmp_path / "local").write_bytes(data)
    tree = MemoryTree()
    tree.add_file("bytes", data)
    tree.add_file("bytearray", bytearray(data))
    tree.add_file("view", memoryview(data))
    tree.add_file("path", tmp_path / "local")
    tree.add_file("file", io.BytesIO(data))
    tree.add_file("pipe", Pipe(size))  # type: ignore[arg-type]
    made = repo.commit(tree)
    entries = [entry for entry in repo.view(made.checksum).walk() if isinstance(entry, FileEntry)]
    assert len(entries) == 6
    assert {entry.size for entry in entries} == {size}
    assert len({entry.checksum for entry in entries}) == 1
    assert repo.view(made.checksum).read_bytes("pipe") == data


def test_stream_is_read_from_where_it_stands(repo: Repo) -> None:
    stream = io.BytesIO(b"headbody")
    stream.seek(4)
    tree = MemoryTree()
    tree.add_file("a", stream)
    made = repo.commit(tree)
    assert repo.view(made.checksum).read_bytes("a") == b"body"


def test_buffers_of_any_shape_are_their_bytes(repo: Repo) -> None:
    every_other = memoryview(b"a-b-c-")[::2]
    words = memoryview(array("H", [0x6261, 0x6463]))
    tree = MemoryTree()
    tree.add_file("every-other", every_other)
    tree.add_file("words", words)
    view = repo.view(repo.commit(tree).checksum)
    assert view.read_bytes("every-other") == b"abc"
    assert view.read_bytes("words") == words.tobytes()
    assert repo.fsck().is_clean


def test_local_pipe_is_refused(repo: Repo, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    tree = MemoryTree()
    tree.add_file("a", tmp_path / "pipe")
    with pytest.raises(FormatError, match="Not a regular file"):
        repo.commit(tree)


def test_local_file_missing_or_a_link_fails_naming_the_path(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("nothing", "link"):
        tree = MemoryTree()
        tree.add_file("/etc/thing", tmp_path / name)
        with pytest.raises(OSError) as caught:  # noqa: PT011  # two numbers
            repo.commit(tree, "main")
        assert "/etc/thing" in caught.value.__notes__
    assert repo.list_refs() == {}


def test_directories_on_the_way_get_defaults_unless_told(repo: Repo) -> None:
    tree = MemoryTree()
    tree.add_file("a/b/c", b"")
    tree.add_dir("a", mode=0o700, uid=3, gid=4, xattrs={"user.x": b"y"})
    tree.add_dir("/", mode=0o711)
    view = repo.view(repo.commit(tree).checksum)
    assert view.entry("/").mode == 0o40711
    assert view.entry("/a")[1:5] == (3, 4, 0o40700, ((b"user.x", b"y"),))
    assert view.entry("/a/b")[1:5] == (0, 0, 0o40755, ())


def test_commit_of_memory_knows_totals_before_it_begins(repo: Repo, tmp_path: Path) -> None:
    seen: list[Progress] = []
    tree = MemoryTree()
    tree.add_file("a/b", b"12345")
    tree.add_symlink("a/c", "b")
    repo.commit(tree, progress=seen.append)
    reads = [progress for progress in seen if progress.phase is Phase.READ]
    assert (reads[0].total, reads[0].bytes_total) == (2, 5)
    assert (reads[-1].done, reads[-1].bytes_done) == (2, 5)
    tree.add_file("stream", io.BytesIO(b"1"))
    repo.commit(tree, progress=seen.append)
    reads = [progress for progress in seen if progress.phase is Phase.READ]
    assert (reads[-1].total, reads[-1].bytes_total) == (3, None)


def test_same_tree_twice_gives_the_same_objects(repo: Repo) -> None:
    tree = MemoryTree()
    tree.add_file("a", b"1")
    tree.add_file("a", b"2")
    first = repo.commit(tree, "main")
    assert repo.view("main").read_bytes("a") == b"2"
    second = repo.commit(tree, "main", CommitOptions(skip_if_unchanged=True))
    assert second.checksum == first.checksum
    assert second.stats.content_objects_written == 0


def test_layers_later_ones_lie_over_earlier(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/a").write_text("disk")
    (tmp_path / "root/etc/b").write_text("disk")
    (tmp_path / "root/etc").chmod(0o750)
    base = MemoryTree()
    base.add_file("/usr/base", b"base")
    repo.commit(base, "base")
    over = MemoryTree()
    over.add_file("/etc/b", b"memory")
    layers: list[Layer] = [TreeSource("ref", "base"), tmp_path / "root", over]
    made = repo.commit(layers, "main")
    view = repo.view("main")
    assert paths(repo, made) == ["/", "/etc", "/etc/a", "/etc/b", "/usr", "/usr/base"]
    assert view.read_text("/etc/b") == "memory"
    assert view.entry("/etc").mode == 0o40750  # a directory on the way changes nothing


def test_layer_over_a_file_conflicts_and_commits_nothing(repo: Repo) -> None:
    one, two = MemoryTree(), MemoryTree()
    one.add_file("a", b"")
    two.add_file("a/b", b"")
    with pytest.raises(ConflictError, match="file with directory: a"):
        repo.commit([one, two], "main")
    assert repo.list_refs() == {}


def test_modifier_applies(repo: Repo) -> None:
    tree = MemoryTree()
    tree.add_file("keep", b"", mode=0o600, uid=5)
    tree.add_file("drop", b"")
    tree.add_file("dir/below", b"")
    tree.add_file("dir/sub/below", b"")
    modifier = CommitModifier(owner_uid=9, skip_list=frozenset({"/drop", "/dir"}), skip_xattrs=True)
    for _ in range(2):  # a modifier may be used again
        made = repo.commit(tree, modifier=modifier)
        assert paths(repo, made) == ["/", "/keep"]
    assert repo.view(made.checksum).entry("/keep").uid == 9


@pytest.mark.parametrize("modifier", [None, CommitModifier(), CommitModifier(owner_uid=7)])
def test_bare_user_only_repository_takes_what_it_can_hold(
    tmp_path: Path, modifier: CommitModifier | None
) -> None:
    tree = MemoryTree()
    tree.add_file("a", b"", mode=0o4777, uid=5, xattrs={"user.a": b"1"})
    with Repo.create(tmp_path / "repo", RepoMode.BARE_USER_ONLY) as repo:
        entry = repo.view(repo.commit(tree, modifier=modifier).checksum).entry("a")
        assert repo.fsck().is_clean
    assert entry[1:5] == (0, 0, 0o100755, ())


def make_policy(root: Path) -> Path:
    """Write the smallest policy that labels everything."""
    home = root / "etc/selinux"
    (home / "mini/contexts/files").mkdir(parents=True)
    (home / "mini/policy").mkdir()
    (home / "config").write_text("SELINUX=enforcing\nSELINUXTYPE=mini\n")
    (home / "mini/contexts/files/file_contexts").write_text("/.* u:r:t:s0\n")
    (home / "mini/policy/policy.31").write_bytes(b"never read")
    return root


def test_labels_are_given_where_the_repository_can_hold_them(tmp_path: Path) -> None:
    policy = make_policy(tmp_path / "policy")
    modifier = CommitModifier(labels=CommitLabels(policy_path=str(policy)))
    tree = MemoryTree()
    tree.add_file("a", b"", uid=5)
    found = {}
    owners = []
    for mode in (RepoMode.ARCHIVE, RepoMode.BARE_USER_ONLY, RepoMode.BARE_USER):
        with Repo.create(tmp_path / mode.value, mode) as repo:
            made = repo.commit(tree, modifier=modifier)
            entry = repo.view(made.checksum).entry("a")
            found[mode] = entry.xattrs
            owners.append(entry.uid)
            assert repo.fsck().is_clean
    label = ((b"security.selinux", b"u:r:t:s0\0"),)
    assert found[RepoMode.ARCHIVE] == found[RepoMode.BARE_USER] == label
    assert found[RepoMode.BARE_USER_ONLY] == ()
    assert owners == [5, 0, 5]  # what one repository needs is not kept for the next


def test_deep_and_wide_trees_need_no_recursion(repo: Repo) -> None:
    tree = MemoryTree()
    tree.add_file("/".join(["d"] * 1100) + "/leaf", b"deep")
    for number in range(1000):
        tree.add_file(f"wide/{number}", b"%d" % (number % 10))
    made = repo.commit(tree)
    assert len(paths(repo, made)) == 1 + 1100 + 1 + 1 + 1000
    assert made.stats.content_objects_total == 1001
    assert os.path.basename(paths(repo, made)[-1]) == "999"
