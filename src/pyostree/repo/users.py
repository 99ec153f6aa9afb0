"""Which commits use an object: asked only when something is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pyostree.errors import OstreeError
from pyostree.formats.links import TreeLinks
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.repo.repo import Repo
from pyostree.repo.traverse import load_tree_links


class ObjectUsers:
    """Finds the dirtrees that name an object, and the commits above them.

    Only how dirtrees hang together is remembered, from the first question on. Who names a file is
    looked up by reading them again: there are too many files to note that of all. Directories that
    cannot be read count as empty. Sets of commits are integers with a bit for each.

    Args:
        roots: for each commit the dirtree and dirmeta of its root.
    """

    def __init__(self, repo: Repo, roots: Mapping[Checksum, tuple[Checksum, Checksum]]) -> None:
        self._repo = repo
        self._commits = list(roots)
        self._roots = roots
        self._parents: dict[Checksum, list[Checksum]] | None = None
        self._bits: dict[Checksum, int] = {}
        self._above_known: dict[Checksum, int] = {}

    def commits_using(self, names: Sequence[ObjectName]) -> list[list[Checksum]]:
        """Return the commits that need each of the objects, in the order in which they came."""
        if self._parents is None:
            self._parents = self._find_parents()
        owners = self._find_owners(names)
        return [
            [name.checksum]
            if name.type is ObjectType.COMMIT
            else self._list(self._users(name, owners))
            for name in names
        ]

    def _find_parents(self) -> dict[Checksum, list[Checksum]]:
        """Return the dirtrees, each with those that have it as a subdirectory."""
        for index, checksum in enumerate(self._commits):
            tree, _ = self._roots[checksum]
            self._bits[tree] = self._bits.get(tree, 0) | 1 << index
        parents: dict[Checksum, list[Checksum]] = {tree: [] for tree in self._bits}
        stack = list(parents)
        while stack:
            owner = stack.pop()
            for raw in set(self._read(owner).dirtrees):
                tree = Checksum(raw)
                if tree not in parents:
                    parents[tree] = []
                    stack.append(tree)
                parents[tree].append(owner)
        return parents

    def _read(self, tree: Checksum) -> TreeLinks:
        try:
            return load_tree_links(self._repo, tree)
        except (OstreeError, OSError):
            return TreeLinks([], [], [])

    def _find_owners(self, names: Iterable[ObjectName]) -> dict[ObjectName, list[Checksum]]:
        """Return which dirtrees name the files and dirmetas among `names`."""
        wanted: dict[ObjectType, set[bytes]] = {ObjectType.FILE: set(), ObjectType.DIRMETA: set()}
        for name in names:
            if name.type in wanted:
                wanted[name.type].add(name.checksum)
        found: dict[ObjectName, list[Checksum]] = {}
        if not any(wanted.values()):
            return found
        assert self._parents is not None
        for tree in self._parents:
            links = self._read(tree)
            for kind, digests in (
                (ObjectType.FILE, links.files),
                (ObjectType.DIRMETA, links.dirmetas),
            ):
                for raw in wanted[kind].intersection(digests):
                    found.setdefault(ObjectName(Checksum(raw), kind), []).append(tree)
        return found

    def _users(self, name: ObjectName, owners: dict[ObjectName, list[Checksum]]) -> int:
        if name.type is ObjectType.DIRTREE:
            return self._above(name.checksum)
        bits = 0
        for tree in owners.get(name, ()):
            bits |= self._above(tree)
        if name.type is ObjectType.DIRMETA:
            for index, checksum in enumerate(self._commits):
                if self._roots[checksum][1] == name.checksum:
                    bits |= 1 << index
        return bits

    def _above(self, tree: Checksum) -> int:
        """Return the commits above a dirtree; files of one directory ask for the same."""
        known = self._above_known.get(tree)
        if known is not None:
            return known
        assert self._parents is not None
        bits = 0
        seen = {tree}  # a forged tree can contain itself
        stack = [tree]
        while stack:
            current = stack.pop()
            bits |= self._bits.get(current, 0)
            for owner in self._parents.get(current, ()):
                if owner not in seen:
                    seen.add(owner)
                    stack.append(owner)
        self._above_known[tree] = bits
        return bits

    def _list(self, bits: int) -> list[Checksum]:
        return [self._commits[index] for index in _set_bits(bits)]


def _set_bits(bits: int) -> Iterator[int]:
    for index, digit in enumerate(reversed(f"{bits:b}")):
        if digit == "1":
            yield index
