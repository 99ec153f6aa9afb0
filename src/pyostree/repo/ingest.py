"""Reading files into the object store, several at once.

Reading, hashing, compressing and writing release the interpreter's lock, so a few threads keep all
cores busy; files come in batches, since tens of thousands of queue operations would cost more than
the small files in them.
"""

from __future__ import annotations

import enum
import stat
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

from pyostree.errors import FormatError, doing
from pyostree.formats.file_header import FileHeader, content_checksum
from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.fs.xattr import Xattrs, read_path_xattrs
from pyostree.progress import UNWATCHED, Watch
from pyostree.repo.devino import Inode, KnownInodes
from pyostree.repo.modes import RepoMode
from pyostree.repo.modifier import CommitModifier, Ownership
from pyostree.repo.mutable_tree import MutableTree
from pyostree.repo.parallel import map_ordered, worker_pool
from pyostree.repo.repo import Repo
from pyostree.repo.store.records import Adoptable, Buffer
from pyostree.repo.watched_file import WatchedFile

# Files up to this size go through a buffer that stays in the processor's cache. Larger ones are
# hashed through it and read again if they turn out to be new; where most files are new, those up
# to the second limit are held in memory instead.
_SCRATCH_BYTES = 256 << 10
_IN_MEMORY_BYTES = 8 << 20
# Bounds of one batch: files, and directories, whose handles stay open until it is done.
_BATCH_FILES = 128
_BATCH_DIRS = 32
_BATCHES_AHEAD = 8


class Outcome(enum.Enum):
    """What became of a file."""

    WRITTEN = enum.auto()
    PRESENT = enum.auto()
    CACHE_HIT = enum.auto()
    ADOPTED = enum.auto()


class Entries(NamedTuple):
    """Files and symlinks of one directory that are to be read."""

    directory: Dir
    node: MutableTree
    path: str
    names: list[tuple[str, bool]]  # with whether it is a symlink


class Ingested(NamedTuple):
    """One entry's outcome; `size` is in bytes of content, `target` that of a symlink."""

    name: str
    checksum: Checksum
    size: int
    outcome: Outcome
    target: str = ""


class Ingester:
    """Reads the files of a source tree into one repository."""

    def __init__(
        self,
        repo: Repo,
        modifier: CommitModifier,
        known: KnownInodes,
        *,
        devino_canonical: bool = False,
        consume: bool = False,
        watch: Watch = UNWATCHED,
    ) -> None:
        self._repo = repo
        self._watch = watch
        self._store = repo.store
        self._modifier = modifier
        self._labels = modifier.labels
        self._known = known
        self._devino_canonical = devino_canonical
        self._consume = consume
        self._skip_xattrs = modifier.skip_xattrs or repo.config.disable_xattrs
        self._local = threading.local()
        # A guess shared by all threads; a wrong one only costs time.
        self._expects_new = False
        self._device = repo.dir.stat_self().st_dev
        changes_nothing = not (
            modifier.changes_entries or self._skip_xattrs or self._labels.is_active
        )
        self._takes_links_as_they_are = not self._known.is_empty and (
            changes_nothing or devino_canonical
        )

    def ingest(
        self, entries: Iterable[Entries]
    ) -> Generator[tuple[MutableTree, list[Ingested]], None, None]:
        """Store all entries; yield directories with what was found in them, in order."""
        with worker_pool() as pool:
            for results in map_ordered(
                pool, self._ingest_batch, _batches(entries), ahead=_BATCHES_AHEAD
            ):
                yield from results

    def _ingest_batch(self, batch: list[Entries]) -> list[tuple[MutableTree, list[Ingested]]]:
        return [(entries.node, self._ingest_entries(entries)) for entries in batch]

    def _ingest_entries(self, entries: Entries) -> list[Ingested]:
        found = []
        lead = entries.path if entries.path == "/" else entries.path + "/"
        for name, is_symlink in entries.names:
            path = lead + name
            if is_symlink:
                item = self._ingest_symlink(entries.directory, name, path)
            else:
                item = self._ingest_file(entries.directory, name, path)
            if item is not None:
                found.append(item)
        return found

    # -- regular files -------------------------------------------------------------------

    def _ingest_file(self, directory: Dir, name: str, path: str) -> Ingested | None:
        linked = self._find_link(directory, name) if self._takes_links_as_they_are else None
        return linked or self._read_file(directory, name, path)

    def _find_link(self, directory: Dir, name: str) -> Ingested | None:
        """Return what a hard link of an object is, without opening it."""
        status = directory.stat(name)
        known = self._known.find(Inode(status.st_dev, status.st_ino))
        if known is None or not stat.S_ISREG(status.st_mode):
            return None
        return Ingested(name, known, status.st_size, Outcome.CACHE_HIT)

    def _read_file(self, directory: Dir, name: str, path: str) -> Ingested | None:
        with InputFile.open(directory, name) as file:
            status = file.status()
            if not stat.S_ISREG(status.st_mode):
                raise FormatError(f"Not a regular file or symlink: {name}")
            size = status.st_size
            cached = self._known.find(Inode(status.st_dev, status.st_ino))
            found = Ownership(status.st_uid, status.st_gid, status.st_mode)
            xattrs: Xattrs | None = None
            if cached is not None and self._repo.mode is RepoMode.BARE_USER:
                stored, _ = self._store.read_header(cached)
                found, xattrs = Ownership(stored.uid, stored.gid, stored.mode), stored.xattrs
            wanted = self._modifier.apply(path, found)
            if wanted is None:
                return None
            is_unmodified = wanted == found and not self._skip_xattrs
            if cached is not None and is_unmodified and not self._labels.is_active:
                return Ingested(name, cached, size, Outcome.CACHE_HIT)
            if self._skip_xattrs:
                xattrs = ()
            elif xattrs is None:
                xattrs = file.xattrs()
            labelled = self._labels.relabel(path, wanted.mode, xattrs)
            is_unmodified = is_unmodified and labelled == xattrs
            if cached is not None and is_unmodified:
                return Ingested(name, cached, size, Outcome.CACHE_HIT)
            header = FileHeader(*wanted, "", labelled)
            if self._may_adopt(status.st_dev, is_unmodified=is_unmodified):
                source = Adoptable(file, directory, name, size, status.st_mtime_ns)
                return self._adopt(source, header)
            return self._store_file(name, file, header, size)

    def _store_file(self, name: str, file: InputFile, header: FileHeader, size: int) -> Ingested:
        limit = _IN_MEMORY_BYTES if self._expects_new else _SCRATCH_BYTES
        if size <= limit:
            data = self._read_small(file, size)
            written = self._store.put_bytes(header, data)
            self._expects_new = written.is_new
            return Ingested(name, written.checksum, len(data), _outcome(is_new=written.is_new))
        file = WatchedFile(file, self._watch)
        checksum = self._hash_stream(header, file)
        if self._store.has_own_content(checksum):
            self._expects_new = False
            return Ingested(name, checksum, size, Outcome.PRESENT)
        self._expects_new = True
        # Hashed again while it is stored: the file may have changed since.
        file.rewind()
        written = self._store.write_file_content(header, file, size=size)
        return Ingested(name, written.checksum, size, _outcome(is_new=written.is_new))

    def _read_small(self, file: InputFile, size: int) -> Buffer:
        if size > _SCRATCH_BYTES:
            return file.read_exactly(size)
        scratch = self._scratch()[:size]
        return scratch[: file.read_into(scratch)] if size else b""

    def _scratch(self) -> memoryview:
        """Return this thread's buffer: fresh memory for each file would cost page faults."""
        found: memoryview | None = getattr(self._local, "scratch", None)
        if found is None:
            found = self._local.scratch = memoryview(bytearray(_SCRATCH_BYTES))
        return found

    def _hash_stream(self, header: FileHeader, file: InputFile) -> Checksum:
        scratch = self._scratch()
        counts = iter(lambda: file.read_into(scratch), 0)
        return content_checksum(header, (scratch[:count] for count in counts))

    # -- adopting ------------------------------------------------------------------------

    def _may_adopt(self, device: int, *, is_unmodified: bool) -> bool:
        """Tell whether the file itself may become the object."""
        if not self._consume or device != self._device:
            return False
        if self._repo.mode is RepoMode.BARE:
            return is_unmodified and not self._skip_xattrs
        return self._repo.mode is RepoMode.BARE_USER_ONLY

    def _adopt(self, source: Adoptable, header: FileHeader) -> Ingested:
        with doing("Commit regfile (adopt)"):
            checksum = self._hash_stream(header, WatchedFile(source.file, self._watch))
            self._store.adopt(checksum, header, source)
        return Ingested(source.name, checksum, source.size, Outcome.ADOPTED)

    # -- symlinks ------------------------------------------------------------------------

    def _ingest_symlink(self, directory: Dir, name: str, path: str) -> Ingested | None:
        status = directory.stat(name)
        cached = self._known.find(Inode(status.st_dev, status.st_ino))
        if cached is not None and self._devino_canonical:
            return Ingested(name, cached, 0, Outcome.CACHE_HIT)
        found = Ownership(status.st_uid, status.st_gid, status.st_mode)
        wanted = self._modifier.apply(path, found)
        if wanted is None:
            return None
        xattrs = () if self._skip_xattrs else read_path_xattrs(directory, name)
        labelled = self._labels.relabel(path, wanted.mode, xattrs)
        is_unmodified = wanted == found and not self._skip_xattrs and labelled == xattrs
        if cached is not None and is_unmodified:
            return Ingested(name, cached, 0, Outcome.CACHE_HIT)
        header = FileHeader(*wanted, directory.read_link(name), labelled)
        written = self._store.put_bytes(header, b"")
        return Ingested(name, written.checksum, 0, _outcome(is_new=written.is_new), header.target)


def _batches(entries: Iterable[Entries]) -> Iterator[list[Entries]]:
    batch: list[Entries] = []
    files = 0
    for item in entries:
        for start in range(0, len(item.names), _BATCH_FILES):
            part = item._replace(names=item.names[start : start + _BATCH_FILES])
            batch.append(part)
            files += len(part.names)
            if files >= _BATCH_FILES or len(batch) >= _BATCH_DIRS:
                yield batch
                batch, files = [], 0
    if batch:
        yield batch


def _outcome(*, is_new: bool) -> Outcome:
    return Outcome.WRITTEN if is_new else Outcome.PRESENT
