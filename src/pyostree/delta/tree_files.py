"""The objects of a commit's tree in the order of a walk, with the names that files have in it."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.formats.objects import Checksum
from pyostree.repo.repo import Repo


class TreeObjects(NamedTuple):
    """What a commit's tree consists of; dicts keep the order.

    Attributes:
        dirtrees: the directories' listings, each before those below it.
        files: content objects with all their basenames.
    """

    dirtrees: dict[Checksum, None]
    dirmetas: dict[Checksum, None]
    files: dict[Checksum, set[str]]


def read_tree(repo: Repo, commit: Checksum) -> TreeObjects:
    """Walk the tree of a commit.

    Raises:
        ObjectNotFoundError: a part of it is missing.
    """
    root = repo.load_commit(commit)
    found = TreeObjects({root.root_tree: None}, {root.root_meta: None}, {})
    stack = [root.root_tree]
    while stack:
        tree = repo.load_dirtree(stack.pop())
        for name, checksum in tree.files:
            found.files.setdefault(checksum, set()).add(name)
        for _, content, meta in reversed(tree.dirs):
            found.dirmetas[meta] = None
            if content not in found.dirtrees:
                found.dirtrees[content] = None
                stack.append(content)
    return found
