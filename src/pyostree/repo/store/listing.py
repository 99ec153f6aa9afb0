"""Which loose objects a repository has, from the names of their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyostree.formats.objects import CHECKSUM_BYTES, Checksum, ObjectName, ObjectType
from pyostree.fs.dir import Dir

# Types that the reference does not list are missing: detached metadata, tombstones, xattrs.
_TYPES = {
    "dirtree": ObjectType.DIRTREE,
    "dirmeta": ObjectType.DIRMETA,
    "commit": ObjectType.COMMIT,
    "payload-link": ObjectType.PAYLOAD_LINK,
}
_REST_DIGITS = 62
_COMMIT_SUFFIX = ".commit"
_BESIDE_COMMITS = ("commit", "commitmeta")  # tombstones included


class LooseDirectory(NamedTuple):
    """The names in one of the 256 directories below ``objects/``, sorted.

    Attributes:
        first: the directory's own name, the first two digits of the checksums.
    """

    first: str
    names: list[str]

    def parse(self, content_extension: str = "file") -> Iterator[tuple[str, bytes, ObjectType]]:
        """Yield file name, checksum and type of the objects; other files are passed over."""
        kinds = _TYPES | {content_extension: ObjectType.FILE}
        first = self.first
        for name in self.names:
            kind = kinds.get(name[_REST_DIGITS + 1 :])
            if kind is None or name[_REST_DIGITS] != ".":
                continue
            try:
                digest = bytes.fromhex(first + name[:_REST_DIGITS])
            except ValueError:
                continue
            if name == name.lower() and len(digest) == CHECKSUM_BYTES:
                yield name, digest, kind

    def count_others(self) -> int:
        """Return how many names belong neither to a commit nor to what is stored beside one."""
        return sum(not name.endswith(_BESIDE_COMMITS) for name in self.names)

    def only_commits(self) -> LooseDirectory:
        """Return the same directory as if it held nothing but commits."""
        return self._replace(names=[name for name in self.names if name.endswith(_COMMIT_SUFFIX)])


def iter_directories(objects: Dir, prefix: str = "") -> Iterator[LooseDirectory]:
    """Yield what the directories hold in which a checksum that starts with `prefix` may lie."""
    for number in range(256):
        first = f"{number:02x}"
        if first[: len(prefix)] != prefix[:2] or not objects.is_dir(first, follow=False):
            continue
        with objects.open_dir(first) as directory:
            names = directory.list()
        rest = prefix[2:]
        yield LooseDirectory(first, [n for n in names if n.startswith(rest)] if rest else names)


def iter_loose(objects: Dir, content_extension: str, prefix: str = "") -> Iterator[ObjectName]:
    """Yield the objects in ``objects/`` whose textual checksum starts with `prefix`."""
    return _named(iter_directories(objects, prefix), content_extension)


def iter_loose_commits(objects: Dir, prefix: str = "") -> Iterator[Checksum]:
    """Yield the commits in ``objects/`` whose textual checksum starts with `prefix`."""
    for directory in iter_directories(objects, prefix):
        for _, digest, _ in directory.only_commits().parse():
            yield Checksum(digest)


def _named(directories: Iterable[LooseDirectory], content_extension: str) -> Iterator[ObjectName]:
    for directory in directories:
        for _, digest, kind in directory.parse(content_extension):
            yield ObjectName(Checksum(digest), kind)
