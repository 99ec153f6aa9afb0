"""Archives as sources of commits: their members become objects, and entries of a tree.

One thread decompresses, this one parses, and a pool hashes, compresses and writes. Members are
handed over as bytes, many small ones at once; what is in flight is bounded. A huge member goes from
the stream straight into the store.
"""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from typing import NamedTuple

from pyostree.errors import (
    FormatError,
    OstreeError,
    PathNotFoundError,
    UnsupportedError,
    doing,
)
from pyostree.formats.archive_format import open_archive
from pyostree.formats.archive_member import ArchiveReader, Member, MemberKind, show_path
from pyostree.formats.archive_paths import parse_pathname_filter, relative_path
from pyostree.formats.dirmeta import Dirmeta
from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import CHECKSUM_BYTES, Checksum
from pyostree.formats.xattrs import Xattrs
from pyostree.repo.archive_stream import ArchiveSource
from pyostree.repo.commit_ledger import Ledger
from pyostree.repo.modifier import CommitModifier, Ownership
from pyostree.repo.mutable_tree import MutableTree
from pyostree.repo.parallel import map_ordered, worker_pool
from pyostree.repo.repo import Repo
from pyostree.repo.store.records import Buffer
from pyostree.repo.tar_links import DeferredLinks, HardLink
from pyostree.repo.watched_file import watched

# Larger members are streamed: the store, too, works on no more than that in one piece.
_IN_MEMORY_BYTES = 64 << 20
# Of all members that a worker has or is about to get; a larger one gets through alone.
_IN_FLIGHT_BYTES = 32 << 20
_BATCH_FILES = 128
_BATCH_BYTES = 2 << 20
_BATCHES_AHEAD = 16
_CREATED_DIR_MODE = stat.S_IFDIR | 0o755
_TYPE_BITS = {
    MemberKind.FILE: stat.S_IFREG,
    MemberKind.HARD_LINK: stat.S_IFREG,
    MemberKind.OTHER: stat.S_IFREG,
    MemberKind.DIRECTORY: stat.S_IFDIR,
    MemberKind.SYMLINK: stat.S_IFLNK,
}
# Stands in the tree until a worker knows the checksum, so that conflicts show in their turn.
_UNKNOWN = Checksum(bytes(CHECKSUM_BYTES))


class MissingParentError(PathNotFoundError):
    """A member's directory is not in the archive."""

    hint = "--tar-autocreate-parents makes the directories that an archive lacks"


class _File(NamedTuple):
    """A file or symlink on its way into the store, or in it already."""

    node: MutableTree
    name: str
    header: FileHeader
    data: Buffer
    stored: _Stored | None = None


class _Stored(NamedTuple):
    checksum: Checksum
    size: int
    is_new: bool


class _Budget:
    """Bytes that may be in flight at once; whoever wants more than that alone gets it alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()

    def take(self, count: int) -> None:
        with self._changed:
            while self._used and self._used + count > self._limit:
                self._changed.wait()
            self._used += count

    def give_back(self, count: int) -> None:
        with self._changed:
            self._used -= count
            self._changed.notify()


class TarSource:
    """Reads archives into a tree."""

    def __init__(
        self,
        repo: Repo,
        modifier: CommitModifier,
        ledger: Ledger,
        *,
        autocreate_parents: bool = False,
        pathname_filter: str | None = None,
    ) -> None:
        """Note how to read.

        Args:
            autocreate_parents: make the directories that members need, and a root.
            pathname_filter: see `parse_pathname_filter`.

        Raises:
            OstreeError: the filter is malformed.
        """
        self._store = repo.store
        self._modifier = modifier
        self._ledger = ledger
        self._autocreates = autocreate_parents
        self._filter = None if pathname_filter is None else parse_pathname_filter(pathname_filter)
        self._skip_xattrs = modifier.skip_archived_xattrs or repo.config.disable_xattrs
        self._budget = _Budget(_IN_FLIGHT_BYTES)
        self._links = DeferredLinks()
        self._last_parent = "", MutableTree()

    def read(self, path: str, tree: MutableTree) -> None:
        """Overlay `tree` with the archive in the file `path`; ``-`` is standard input.

        Raises:
            OstreeError: the file cannot be read, or the archive is damaged, of an unknown format,
                or has members that cannot stand in a tree.
        """
        source = ArchiveSource(path)
        with source.stream() as stream:
            with doing(source.call):
                reader = open_archive(stream)
            self._links = DeferredLinks()
            self._last_parent = "", tree
            with worker_pool() as pool:
                batches = self._within_budget(_batches(self._walk(reader, tree)))
                # The pool ends before the transaction: no thread may write on after that.
                for batch in map_ordered(pool, self._store_batch, batches, ahead=_BATCHES_AHEAD):
                    for file, stored in batch:
                        self._add(file, stored)
            self._links.resolve(tree)
            if self._autocreates and tree.meta is None:
                self._create_root(tree)
            source.read_trailer(stream)

    def _add(self, file: _File, stored: _Stored) -> None:
        file.node.add_file(file.name, stored.checksum)
        self._ledger.add_content(
            stored.checksum, stored.size, is_new=stored.is_new, target=file.header.target
        )

    # -- one member after the other ------------------------------------------------------

    def _walk(self, reader: ArchiveReader, tree: MutableTree) -> Iterator[_File]:
        """Put the directories into `tree`; yield what has to be stored."""
        while (member := reader.next_member()) is not None:
            path = relative_path(member.path, self._filter)
            found = Ownership(member.uid, member.gid, _TYPE_BITS[member.kind] | member.mode)
            wanted = self._modifier.apply(f"/{path}", found)
            if wanted is None:
                continue
            node, name = self._parent(tree, path, member)
            if member.kind is MemberKind.OTHER:
                raise UnsupportedError(f'Unsupported file type for path "{path}"')
            xattrs = self._xattrs(f"/{path}", wanted.mode, member)
            if member.kind is MemberKind.DIRECTORY:
                directory = node.ensure_dir(name) if name else tree
                directory.meta = self._ledger.put_dirmeta(Dirmeta(*wanted, xattrs))
                continue
            is_link = member.kind is MemberKind.HARD_LINK
            if not is_link or member.size:
                target = _target(member) if member.kind is MemberKind.SYMLINK else ""
                yield self._file(reader, member, node, name, FileHeader(*wanted, target, xattrs))
            if is_link:
                target = relative_path(member.target, self._filter)
                self._links.add(target, HardLink(node, name, path, has_content=member.size > 0))

    def _xattrs(self, path: str, mode: int, member: Member | None = None) -> Xattrs:
        xattrs = () if member is None or self._skip_xattrs else member.xattrs
        return self._modifier.labels.relabel(path, mode, xattrs)

    def _parent(self, tree: MutableTree, path: str, member: Member) -> tuple[MutableTree, str]:
        above, _, name = path.rpartition("/")
        if not above:
            return tree, name
        if above == self._last_parent[0]:  # directories stay once they are there
            return self._last_parent[1], name
        node = tree
        for part in above.split("/"):
            found = node.dirs.get(part)
            if found is None:
                if not self._autocreates:
                    raise MissingParentError(f"No such file or directory: {part}")
                node = self._create_parents(tree, above, member)
                break
            node = found
        self._last_parent = above, node
        return node, name

    def _create_parents(self, tree: MutableTree, above: str, member: Member) -> MutableTree:
        """Make the directories of `above`.

        As in the reference those that exist are reset, and what changes members leaves them alone.
        """
        found = Ownership(member.uid, member.gid, _CREATED_DIR_MODE)
        with doing("ostree-tar: Failed to create parent"):
            self._set_meta(tree, "/", found)
            node = tree
            path = ""
            for part in above.split("/"):
                path = f"{path}/{part}"
                node = node.ensure_dir(part)
                self._set_meta(node, path, found)
        return node

    def _create_root(self, tree: MutableTree) -> None:
        wanted = self._modifier.apply("/", Ownership(0, 0, _CREATED_DIR_MODE))
        if wanted is not None:
            self._set_meta(tree, "/", wanted)

    def _set_meta(self, node: MutableTree, path: str, wanted: Ownership) -> None:
        xattrs = self._xattrs(path, wanted.mode)
        node.meta = self._ledger.put_dirmeta(Dirmeta(*wanted, xattrs))

    # -- files ---------------------------------------------------------------------------

    def _file(
        self,
        reader: ArchiveReader,
        member: Member,
        node: MutableTree,
        name: str,
        header: FileHeader,
    ) -> _File:
        try:
            node.add_file(name, _UNKNOWN)
        except OstreeError as err:
            err.add_note("ostree-tar: Failed to import file")
            err.add_note("ostree-tar: Failed to handle file")
            raise
        if member.kind is MemberKind.SYMLINK:
            return _File(node, name, header, b"")
        if member.size <= _IN_MEMORY_BYTES:
            return _File(node, name, header, reader.read_content())
        with doing(show_path(member.path)):
            chunks = watched(map(bytes, reader.iter_content()), self._ledger.stats.watch)
            checksum, is_new = self._store.write_content(header, chunks, size=member.size)
        return _File(node, name, header, b"", _Stored(checksum, member.size, is_new))

    def _store_batch(self, batch: list[_File]) -> list[tuple[_File, _Stored]]:
        try:
            # Without the content, which would stay in memory until the batch has its turn.
            return [
                (file._replace(data=b""), file.stored or self._store_file(file)) for file in batch
            ]
        finally:
            self._budget.give_back(_size(batch))

    def _store_file(self, file: _File) -> _Stored:
        written = self._store.put_bytes(file.header, file.data)
        return _Stored(written.checksum, len(file.data), written.is_new)

    def _within_budget(self, batches: Iterator[list[_File]]) -> Iterator[list[_File]]:
        for batch in batches:
            self._budget.take(_size(batch))
            yield batch


def _target(member: Member) -> str:
    if not member.target:
        raise OstreeError(f"Symlink entry has no target: {show_path(member.path)}")
    try:
        return member.target.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(
            f"Archive entry symlink target is not valid UTF-8: {show_path(member.path)}"
        ) from None


def _size(batch: list[_File]) -> int:
    return sum(len(file.data) for file in batch)


def _batches(files: Iterator[_File]) -> Iterator[list[_File]]:
    batch: list[_File] = []
    size = 0
    for file in files:
        batch.append(file)
        size += len(file.data)
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
