"""A tree in memory and the same tree on the disk are the same commit, whatever is in them."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyostree import CommitView, MemoryTree, Repo, RepoMode
from repo_lab import listing, must, reference

IS_ROOT = os.geteuid() == 0
MODES = [mode for mode in RepoMode if mode is not RepoMode.BARE_SPLIT_XATTRS]


class Node(NamedTuple):
    """What one path is; `content` is bytes of a file, text of a symlink, a dict of a directory."""

    content: bytes | str | dict[str, Node]
    mode: int
    owner: tuple[int, int]
    xattrs: dict[str, bytes]


def names() -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=["Cs"], exclude_characters="/\0")
    return st.text(letters, min_size=1, max_size=12).filter(
        lambda name: name not in (".", "..") and len(name.encode()) < 200
    )


def nodes() -> st.SearchStrategy[Node]:
    me = (os.geteuid(), os.getegid())
    owners = st.tuples(*[st.integers(0, 70_000)] * 2) if IS_ROOT else st.just(me)
    xattrs = st.dictionaries(
        st.sampled_from(["user.a", "user.b", "user.longer.name"]), st.binary(max_size=20)
    )
    # Other than root, nobody could look into a directory without permissions.
    mode = st.integers(0, 0o7777) if IS_ROOT else st.sampled_from([0o700, 0o755, 0o1777])
    file = st.builds(Node, st.binary(max_size=400), mode, owners, xattrs)
    target = names().map(lambda name: f"../{name}")
    link = st.builds(Node, target, st.just(0o777), owners, st.just({}))

    def directory(below: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        inside = st.dictionaries(names(), below, max_size=5)
        return st.builds(Node, inside, mode, owners, xattrs)

    return directory(st.recursive(file | link, directory, max_leaves=12))


def write(path: Path, node: Node) -> None:
    match node.content:
        case bytes():
            path.write_bytes(node.content)
        case str():
            path.symlink_to(node.content)
            os.chown(path, *node.owner, follow_symlinks=False)
            return
        case dict():
            path.mkdir()
            for name, below in node.content.items():
                write(path / name, below)
    for name, value in node.xattrs.items():
        os.setxattr(path, name, value)
    os.chown(path, *node.owner)
    path.chmod(node.mode)


def build(tree: MemoryTree, path: str, node: Node) -> None:
    uid, gid = node.owner
    match node.content:
        case bytes():
            tree.add_file(path, node.content, mode=node.mode, uid=uid, gid=gid, xattrs=node.xattrs)
        case str():
            tree.add_symlink(path, node.content, uid=uid, gid=gid)
        case dict():
            for name, below in node.content.items():
                build(tree, f"{path.rstrip('/')}/{name}", below)
            tree.add_dir(path, mode=node.mode, uid=uid, gid=gid, xattrs=node.xattrs)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@settings(max_examples=8)
@given(root=nodes())
def test_commit_from_memory_equals_commit_from_disk(mode: RepoMode, root: Node) -> None:
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")) as place,
        Repo.create(Path(place, "repo"), mode) as repo,
    ):
        repo.disable_fsync()
        write(Path(place, "root"), root)
        from_disk = repo.view(repo.commit(Path(place, "root")).checksum)
        tree = MemoryTree()
        build(tree, "/", root)
        from_memory = repo.view(repo.commit(tree).checksum)
        assert tops(from_memory) == tops(from_disk)
        assert list(from_memory.walk()) == list(from_disk.walk())
        check_reference_agrees(repo, from_memory, Path(place))


def tops(view: CommitView) -> tuple[object, ...]:
    return view.commit.root_tree, view.commit.root_meta


def check_reference_agrees(repo: Repo, view: CommitView, place: Path) -> None:
    """What the C implementation checks out is what was on the disk."""
    out = place / "out"
    is_user = repo.mode in (RepoMode.BARE_USER, RepoMode.BARE_USER_ONLY)
    flags = ["-U"] if is_user else []
    must(reference("checkout", *flags, f"--repo={repo.path}", str(view.checksum), out))
    expected, found = listing(place / "root"), listing(out)
    assert found.keys() == expected.keys()
    for path, entry in found.items():
        wanted = expected[path]
        assert (entry.kind, entry.content) == (wanted.kind, wanted.content)
        if not is_user:
            assert (entry.mode, entry.owner) == (wanted.mode, wanted.owner)
            with_values = tuple(pair for pair in wanted.xattrs if pair[1])
            assert entry.xattrs == with_values
        elif repo.mode is RepoMode.BARE_USER and stat.S_ISREG(wanted.mode):
            assert entry.mode == (wanted.mode & 0o777) | 0o400
