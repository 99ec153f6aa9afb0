"""Which commits use an object: asked only when something is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyostree.errors import OstreeError
from pyostree.formats.commit import Commit
from pyostree.formats.dirtree import Dirtree
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.repo.repo import Repo

_Node = tuple[Checksum, ObjectType]


class ObjectUsers:
    """For each object the dirtrees and commits that name it.

    Directories that cannot be read any more count as empty. Built once; later deletions do not
    change the answers.
    """

    def __init__(self, repo: Repo, commits: Mapping[Checksum, Commit]) -> None:
        self._repo = repo
        self._parents: dict[_Node, set[_Node]] = {}
        self._order = {checksum: index for index, checksum in enumerate(commits)}
        self._found: dict[_Node, frozenset[Checksum]] = {}
        self._entered: set[_Node] = set()
        seen: set[Checksum] = set()
        for checksum, commit in commits.items():
            owner = (checksum, ObjectType.COMMIT)
            self._add(commit.root_meta, ObjectType.DIRMETA, owner)
            self._add(commit.root_tree, ObjectType.DIRTREE, owner)
            self._add_tree(commit.root_tree, seen)

    def _add(self, checksum: Checksum, kind: ObjectType, owner: _Node) -> None:
        self._parents.setdefault((checksum, kind), set()).add(owner)

    def _add_tree(self, root: Checksum, seen: set[Checksum]) -> None:
        stack = [root]
        while stack:
            checksum = stack.pop()
            if checksum in seen:
                continue
            seen.add(checksum)
            tree = self._read(checksum)
            owner = (checksum, ObjectType.DIRTREE)
            for _, file in tree.files:
                self._add(file, ObjectType.FILE, owner)
            for _, content, meta in tree.dirs:
                self._add(meta, ObjectType.DIRMETA, owner)
                self._add(content, ObjectType.DIRTREE, owner)
                stack.append(content)

    def _read(self, checksum: Checksum) -> Dirtree:
        try:
            return self._repo.load_dirtree(checksum)
        except (OstreeError, OSError):
            return Dirtree()

    def commits_using(self, name: ObjectName) -> list[Checksum]:
        """Return the commits that need an object, in the order in which they were given."""
        if name.type is ObjectType.COMMIT:
            return [name.checksum]
        found = self._look_up((name.checksum, name.type))
        return sorted(found, key=self._order.__getitem__)

    def _look_up(self, wanted: _Node) -> frozenset[Checksum]:
        """Collect the commits above a node, remembering them for all nodes on the way."""
        stack = [wanted]
        while stack:
            node = stack[-1]
            if node in self._found:
                stack.pop()
                continue
            owners = self._parents.get(node, ())
            open_owners = [
                owner
                for owner in owners
                if owner[1] is not ObjectType.COMMIT
                and owner not in self._found
                and owner not in self._entered  # a forged tree can contain itself
            ]
            self._entered.add(node)
            if open_owners:
                stack.extend(open_owners)
                continue
            self._found[node] = self._union(owners)
            stack.pop()
        return self._found[wanted]

    def _union(self, owners: Iterable[_Node]) -> frozenset[Checksum]:
        sets = []
        for owner in owners:
            if owner[1] is ObjectType.COMMIT:
                sets.append(frozenset((owner[0],)))
            else:
                sets.append(self._found.get(owner, frozenset()))
        # Objects of one directory share a set.
        return sets[0] if len(sets) == 1 else frozenset().union(*sets)
