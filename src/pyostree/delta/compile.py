"""Packing the objects that a commit adds into the parts of a static delta.

Order: metadata, files made from older ones by patches, other files, symlinks. A file larger than a
limit stays outside as a *fallback*, which clients fetch as an object.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import NamedTuple

from pyostree.delta.options import GenerateOptions
from pyostree.delta.part_builder import BuiltPart, PartBuilder
from pyostree.delta.similar import NamedFile, find_pairs
from pyostree.delta.tree_files import TreeObjects
from pyostree.formats.bspatch import join_patch
from pyostree.formats.delta_superblock import Fallback
from pyostree.formats.file_header import FileHeader, encode_header
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.formats.sizes import format_size
from pyostree.repo.repo import Repo

Log = Callable[[str], None]

_WORLD_READABLE = 0o004
_EVERY = 10


class _NewFile(NamedTuple):
    checksum: Checksum
    header: FileHeader
    size: int
    names: frozenset[str]


class DeltaCompiler:
    """Packs objects; finished parts go to `take_part`.

    Args:
        source: tree of the commit that clients have; None when they have nothing.
        log: takes lines that tell what happens.

    Attributes:
        fallbacks: files that are too large.
    """

    def __init__(
        self,
        repo: Repo,
        options: GenerateOptions,
        take_part: Callable[[BuiltPart], None],
        log: Log,
    ) -> None:
        self._repo = repo
        self._options = options
        self._take_part = take_part
        self._log = log
        self._part = PartBuilder()
        self._part_count = 0
        self._packed = self._usize = self._loose = 0
        self.fallbacks: list[Fallback] = []

    def compile(self, source: TreeObjects | None, target: TreeObjects) -> None:
        """Pack what `target` has and `source` has not; at least one part results."""
        old = source or TreeObjects({}, {}, {})
        new_files = self._new_files(old, target)
        regular = {one.checksum: one for one in new_files if stat.S_ISREG(one.header.mode)}
        symlinks = [one for one in new_files if one.header.is_symlink]
        pairs = self._pairs(source, regular)
        metadata = _new_metadata(old, target)
        self._log(f"modified: {len(pairs)}")
        self._log(
            f"new reachable: metadata={len(metadata) + 1} "
            f"content regular={len(regular)} symlink={len(symlinks)}"
        )
        self._log(f"rollsum for 0/{len(pairs)} modified")
        for name in metadata:
            self._add_metadata(name)
        readable = self._readable(pairs)
        patched = self._add_patched(readable, regular)
        rest = [one for checksum, one in regular.items() if checksum not in patched]
        for file in [one for one in rest if not self._add_fallback(one)]:
            self._add_whole(file)
        for link in symlinks:
            self._add_whole(link)
        self._finish_part()
        self._log(f"uncompressed={self._usize} compressed={self._packed} loose={self._loose}")
        self._log("rollsum=0 objects, 0 bytes")
        self._log(f"bsdiff={len(patched)} objects")

    # -- what there is to do -------------------------------------------------------------

    def _new_files(self, old: TreeObjects, target: TreeObjects) -> list[_NewFile]:
        files = []
        for checksum, names in target.files.items():
            if checksum not in old.files:
                header, size = self._repo.store.read_header(checksum)
                files.append(_NewFile(checksum, header, size, frozenset(names)))
        return files

    def _pairs(
        self, source: TreeObjects | None, regular: dict[Checksum, _NewFile]
    ) -> list[tuple[Checksum, Checksum]]:
        if source is None or not regular:
            return []
        old = []
        for checksum, names in source.files.items():
            found = self._repo.store.stat_content(checksum)
            if stat.S_ISREG(found.mode):
                old.append(NamedFile(checksum, found.size, frozenset(names)))
        new = [NamedFile(one.checksum, one.size, one.names) for one in regular.values()]
        return list(find_pairs(old, new))

    def _readable(self, pairs: list[tuple[Checksum, Checksum]]) -> list[tuple[Checksum, Checksum]]:
        # Clients without privileges could not read such an old file.
        stat_content = self._repo.store.stat_content
        return [pair for pair in pairs if stat_content(pair[0]).mode & _WORLD_READABLE]

    # -- packing -------------------------------------------------------------------------

    def _add_metadata(self, name: ObjectName) -> None:
        data = self._repo.store.read_metadata(name)
        self._make_room(len(data))
        self._part.add_metadata(name, data)
        self._loose += self._repo.store.object_size(name)

    def _add_patched(
        self, pairs: list[tuple[Checksum, Checksum]], regular: dict[Checksum, _NewFile]
    ) -> set[Checksum]:
        done: set[Checksum] = set()
        if not self._options.bsdiff:
            return done
        store = self._repo.store
        limit = self._options.max_bsdiff_bytes
        fitting = [
            (source, target)
            for source, target in pairs
            if store.stat_content(source).size + regular[target].size <= limit
        ]
        step = max(len(fitting) // _EVERY, 1)
        for index, (source, target) in enumerate(fitting):
            if index % step == 0:
                self._log(f"processing bsdiff: [{index}/{len(fitting)}]")
            self._make_room(0)
            file = regular[target]
            patch = _make_patch(self._read(source), self._read(target))
            self._part.add_patched(target, file.header, file.size, source, patch)
            done.add(target)
        return done

    def _add_fallback(self, file: _NewFile) -> bool:
        limit = self._options.min_fallback_bytes
        stream_bytes = len(encode_header(file.header)) + file.size
        if not limit or stream_bytes <= limit:
            return False
        self._log(f"fallback for {file.checksum} ({format_size(stream_bytes)})")
        name = ObjectName(file.checksum, ObjectType.FILE)
        size = self._repo.store.object_size(name)
        fallback = Fallback(ObjectType.FILE, bytes(file.checksum), size, file.size)
        self.fallbacks.append(fallback)
        return True

    def _add_whole(self, file: _NewFile) -> None:
        self._make_room(file.size)
        with self._repo.store.open_content(file.checksum) as content:
            self._part.add_file(file.checksum, file.header, content.chunks())
        self._loose += self._repo.store.object_size(ObjectName(file.checksum, ObjectType.FILE))

    def _read(self, checksum: Checksum) -> bytes:
        with self._repo.store.open_content(checksum) as content:
            return b"".join(content.chunks())

    def _make_room(self, size: int) -> None:
        part = self._part
        if part.objects and part.estimate + size > self._options.max_chunk_bytes:
            self._finish_part()

    def _finish_part(self) -> None:
        part = self._part.finish()
        self._part = PartBuilder()
        self._part_count += 1
        self._packed += len(part.data)
        self._usize += part.usize
        self._log(
            f"part {self._part_count} n:{len(part.objects)} "
            f"compressed:{len(part.data)} uncompressed:{part.usize}"
        )
        self._take_part(part)


def _new_metadata(old: TreeObjects, target: TreeObjects) -> list[ObjectName]:
    names = [ObjectName(one, ObjectType.DIRTREE) for one in target.dirtrees.keys() - old.dirtrees]
    names += [ObjectName(one, ObjectType.DIRMETA) for one in target.dirmetas.keys() - old.dirmetas]
    return sorted(names)


def _make_patch(old: bytes, new: bytes) -> bytes:
    from bsdiff4 import core  # needed nowhere else

    return join_patch(*core.diff(old, new))
