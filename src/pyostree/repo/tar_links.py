"""Hard links of archives: they are made when all members are known, in whatever order they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from pyostree.errors import ConflictError, PathNotFoundError, doing
from pyostree.repo.mutable_tree import MutableTree


class HardLink(NamedTuple):
    """One link: where it goes, under which path, and whether the archive had content with it."""

    node: MutableTree
    name: str
    path: str
    has_content: bool


class DeferredLinks:
    """The links of one archive by the paths of their targets."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[HardLink]] = {}

    def add(self, target: str, link: HardLink) -> None:
        """Note a link to the file at `target`."""
        self._waiting.setdefault(target, []).append(link)

    def resolve(self, tree: MutableTree) -> None:
        """Give links the checksum of their targets, which may be links themselves.

        Raises:
            PathNotFoundError: a target is not there.
            ConflictError: a target is a directory, or one has the name of a link.
        """
        targets = deque(self._waiting)
        while targets:
            target = targets.popleft()
            links = self._waiting.get(target, ())
            if not links:
                continue
            try:
                _resolve(tree, target, links)
            except PathNotFoundError:
                continue
            del self._waiting[target]
            targets.extend(link.path for link in links if link.path in self._waiting)
        for target, links in self._waiting.items():
            _resolve(tree, target, links)  # raises what is wrong with it


def _resolve(tree: MutableTree, target: str, links: Sequence[HardLink]) -> None:
    with doing(f"ostree-tar: Processing deferred hardlink {target}"):
        node, name = _find_target(tree, target)
        checksum = node.files[name]
        for link in links:
            if link.has_content:  # cpio stores it with the last link
                checksum = link.node.files[link.name]
        node.add_file(name, checksum)
        for link in links:
            link.node.add_file(link.name, checksum)


def _find_target(tree: MutableTree, target: str) -> tuple[MutableTree, str]:
    with doing("Failed to find object"):
        node = tree
        above, _, name = target.rpartition("/")
        for part in above.split("/") if above else ():
            found = node.dirs.get(part)
            if found is None:
                raise PathNotFoundError(f"No such file or directory: {part}")
            node = found
        if name in node.files:
            return node, name
        if not name or name in node.dirs:
            raise ConflictError(
                f'Expected hardlink file target at "{target}" but found a directory'
            )
        raise PathNotFoundError(f"No such file or directory: {name}")
