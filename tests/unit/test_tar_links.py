"""Hard links of archives, resolved when all members are known."""

from __future__ import annotations

import pytest

from pyostree.errors import ConflictError, PathNotFoundError
from pyostree.formats.objects import Checksum
from pyostree.repo.mutable_tree import MutableTree
from pyostree.repo.tar_links import DeferredLinks, HardLink

ONE, TWO = Checksum(b"1" * 32), Checksum(b"2" * 32)


def tree_with(**files: Checksum) -> MutableTree:
    tree = MutableTree()
    for name, checksum in files.items():
        tree.add_file(name, checksum)
    return tree


def resolve(tree: MutableTree, *links: tuple[str, str]) -> dict[str, Checksum]:
    deferred = DeferredLinks()
    for target, name in links:
        deferred.add(target, HardLink(tree, name, name, has_content=False))
    deferred.resolve(tree)
    return tree.files


def test_links_get_the_checksum_of_their_target() -> None:
    assert resolve(tree_with(f=ONE, g=TWO), ("f", "l"), ("g", "m"), ("f", "n")) == {
        "f": ONE, "g": TWO, "l": ONE, "m": TWO, "n": ONE,
    }  # fmt: skip


def test_links_to_links_are_followed_in_any_order() -> None:
    links = (("c", "d"), ("a", "b"), ("b", "c"), ("f", "a"))
    assert set(resolve(tree_with(f=ONE), *links)) == set("fabcd")


def test_link_in_place_of_a_file_replaces_it() -> None:
    assert resolve(tree_with(f=ONE, l=TWO), ("f", "l")) == {"f": ONE, "l": ONE}


def test_content_that_came_with_a_link_is_that_of_all() -> None:
    tree = tree_with(f=ONE, last=TWO)
    deferred = DeferredLinks()
    deferred.add("f", HardLink(tree, "first", "first", has_content=False))
    deferred.add("f", HardLink(tree, "last", "last", has_content=True))
    deferred.resolve(tree)
    assert tree.files == dict.fromkeys(("f", "last", "first"), TWO)


def test_missing_targets_and_circles_are_errors() -> None:
    with pytest.raises(PathNotFoundError, match="No such file or directory: x"):
        resolve(tree_with(f=ONE), ("x", "l"))
    with pytest.raises(PathNotFoundError, match="No such file or directory: d"):
        resolve(tree_with(f=ONE), ("d/x", "l"))
    with pytest.raises(PathNotFoundError):
        resolve(tree_with(f=ONE), ("l", "m"), ("m", "l"))


def test_directories_are_no_targets_and_are_not_replaced() -> None:
    tree = tree_with(f=ONE)
    tree.ensure_dir("d")
    with pytest.raises(ConflictError, match="found a directory"):
        resolve(tree, ("d", "l"))
    with pytest.raises(ConflictError, match="Can't replace directory with file: d"):
        resolve(tree, ("f", "d"))
