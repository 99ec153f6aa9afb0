"""Paths inside a commit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import (
    CorruptObjectError,
    NotADirectoryInTreeError,
    OstreeError,
    PathNotFoundError,
)
from pyostree.formats.commit import Commit, encode_commit
from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.dirtree import Dirtree, encode_dirtree
from pyostree.formats.objects import ObjectType, parse_checksum
from pyostree.repo.repo import Repo
from pyostree.repo.tree import CommitTree, TreeDir, TreeFile
from repo_lab import commit, make_repo, write_files


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[CommitTree]:
    path = make_repo(tmp_path / "repo")
    root = write_files(tmp_path / "tree", {"b": "b", "a": "a", "dir/z": "z", "dir/sub/x": "x"})
    for name, target in {"link": "a", "loop": "loop", "to-dir": "dir", "up": "../a"}.items():
        (root / name).symlink_to(target)
    checksum = parse_checksum(commit(path, "-b", "main", root))
    with Repo.open(path) as repo:
        yield CommitTree(repo, checksum)


def test_walk_files_first_then_directories_depth_first(tree: CommitTree) -> None:
    assert [entry.path for entry in tree.walk(tree.root)] == [
        *("/", "/a", "/b", "/link", "/loop", "/to-dir", "/up"),
        *("/dir", "/dir/z", "/dir/sub", "/dir/sub/x"),
    ]


def test_walk_enter_false_skips_what_is_below(tree: CommitTree) -> None:
    paths = [entry.path for entry in tree.walk(tree.look_up("/dir"), enter=lambda _: False)]
    assert paths == ["/dir"]


@pytest.mark.parametrize("path", ["/dir/sub", "dir/sub"])
def test_look_up_directory(tree: CommitTree, path: str) -> None:
    found = tree.look_up(path)
    assert isinstance(found, TreeDir)
    assert found.path == "/dir/sub"


def test_look_up_root_and_file(tree: CommitTree) -> None:
    assert tree.look_up("/") == tree.root
    assert isinstance(tree.look_up("dir/z"), TreeFile)


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("x", "/x"),
        ("x/y", "/x"),
        ("dir/", "/dir/"),
        ("", "/"),
        ("dir/../a", "/dir/.."),
        (".", "/."),
    ],
)
def test_look_up_missing_names_the_first_missing_part(
    tree: CommitTree, path: str, missing: str
) -> None:
    with pytest.raises(PathNotFoundError, match=f": {missing}$"):
        tree.look_up(path)


@pytest.mark.parametrize("path", ["a/x", "to-dir/z"])
def test_look_up_through_file_or_link_is_refused(tree: CommitTree, path: str) -> None:
    with pytest.raises(NotADirectoryInTreeError):
        tree.look_up(path)


def test_look_up_content_follows_a_final_link(tree: CommitTree) -> None:
    assert tree.look_up_content("link") == tree.look_up("a")


@pytest.mark.parametrize(
    ("path", "error"),
    [("dir", OstreeError), ("to-dir", OstreeError), ("up", PathNotFoundError), ("loop", OSError)],
)
def test_look_up_content_of_no_file_is_an_error(
    tree: CommitTree, path: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        tree.look_up_content(path)


def test_directories_gives_each_with_what_it_holds(tree: CommitTree) -> None:
    found = {entry.path: [name for name, _ in held.files] for entry, held in
             tree.directories(tree.root)}  # fmt: skip
    assert found == {
        "/": ["a", "b", "link", "loop", "to-dir", "up"],
        "/dir": ["z"],
        "/dir/sub": ["x"],
    }


def test_directories_deep_and_shared_trees_need_no_recursion(tmp_path: Path) -> None:
    with Repo.open(make_repo(tmp_path / "repo")) as repo:
        meta = repo.write_metadata(ObjectType.DIRMETA, encode_dirmeta(Dirmeta(0, 0, 0o40755)))
        content = repo.write_metadata(ObjectType.DIRTREE, encode_dirtree(Dirtree()))
        for _ in range(2000):
            below = Dirtree(dirs=(("d", content, meta),))
            content = repo.write_metadata(ObjectType.DIRTREE, encode_dirtree(below))
        data = encode_commit(Commit((), None, (), "", "", 0, content, meta))
        tree = CommitTree(repo, repo.write_metadata(ObjectType.COMMIT, data))
        assert sum(1 for _ in tree.directories(tree.root)) == 2001
        assert sum(1 for _ in tree.walk(tree.root)) == 2001


@pytest.mark.parametrize("way", ["directories", "walk"])
def test_directory_that_holds_itself_is_an_error(
    tree: CommitTree, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    top = tree.root  # no hash can be made to do that, but a damaged store may say so
    forged = Dirtree(dirs=(("again", top.tree, top.meta),))
    monkeypatch.setattr(Repo, "load_dirtree", lambda *_: forged)
    with pytest.raises(CorruptObjectError, match="contains itself"):
        list(getattr(tree, way)(top))
