"""`MemorySource`: reads a tree that was built in memory into the tree of a commit."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple

from pyostree.errors import FormatError, doing
from pyostree.formats.dirmeta import Dirmeta
from pyostree.formats.file_header import FileHeader
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.fs.tempfile import TempFile
from pyostree.repo.commit_ledger import Ledger
from pyostree.repo.memory_tree import Leaf, MemoryTree
from pyostree.repo.modifier import CommitModifier, Ownership
from pyostree.repo.mutable_tree import MutableTree
from pyostree.repo.parallel import map_batches, worker_pool
from pyostree.repo.repo import Repo
from pyostree.repo.store.records import Buffer, Written
from pyostree.repo.watched_file import WatchedFile, watched

_BATCH_FILES = 64
_CHUNK_BYTES = 1 << 20
_DEFAULT_META = Dirmeta(0, 0, 0o040755)
# Streams of unknown length up to this size are held in memory.
_IN_MEMORY_BYTES = 8 << 20


class _Job(NamedTuple):
    """One file to store; streams, which cannot be read by several threads, are stored already."""

    node: MutableTree
    path: str
    name: str
    header: FileHeader
    content: Buffer | os.PathLike[str] | None
    done: _Stored | None = None


class _Stored(NamedTuple):
    written: Written
    size: int


class MemorySource:
    """Reads trees in memory into one commit."""

    def __init__(self, repo: Repo, modifier: CommitModifier, ledger: Ledger) -> None:
        self._repo = repo
        self._store = repo.store
        self._modifier = modifier
        self._ledger = ledger
        self._skip_xattrs = modifier.skip_xattrs or repo.config.disable_xattrs

    def read(self, source: MemoryTree, tree: MutableTree) -> None:
        """Overlay `tree` with `source`.

        Raises:
            ConflictError: a directory would replace a file, or the reverse.
            OSError: a local file cannot be read.
        """
        with worker_pool() as pool:
            # The pool ends before the transaction: no thread may write on after that.
            jobs = self._jobs(source, tree)
            for job, (written, size) in map_batches(pool, self._run, jobs, batch=_BATCH_FILES):
                job.node.add_file(job.name, written.checksum)
                self._ledger.add_content(
                    written.checksum, size, is_new=written.is_new, target=job.header.target
                )

    # -- walking, in the calling thread ----------------------------------------------------

    def _jobs(self, source: MemoryTree, tree: MutableTree) -> Iterator[_Job]:
        nodes: dict[str, MutableTree] = {}
        for path, node in source.walk():
            parent, _, name = path.rpartition("/")
            above = nodes.get(parent or "/")
            if path != "/" and above is None:
                continue  # a directory on the way is left out
            below = self._enter(
                tree if above is None or path == "/" else above, path, name, node.meta
            )
            if below is None:
                continue
            nodes[path] = below
            for file, leaf in node.files.items():
                job = self._job(below, path, file, leaf)
                if job is not None:
                    yield job

    def _enter(
        self, above: MutableTree, path: str, name: str, meta: Dirmeta | None
    ) -> MutableTree | None:
        """Return the directory at `path` with its metadata set, or None to leave it out."""
        given = meta or _DEFAULT_META
        wanted = self._modifier.apply(path, Ownership(given.uid, given.gid, given.mode))
        if wanted is None:
            return None
        node = above.ensure_dir(name) if name else above
        if meta is not None or node.meta is None:  # else a lower layer knows better
            xattrs = () if self._skip_xattrs else given.xattrs
            xattrs = self._modifier.labels.relabel(path, wanted.mode, xattrs)
            node.meta = self._ledger.put_dirmeta(Dirmeta(*wanted, xattrs))
        return node

    def _job(self, node: MutableTree, directory: str, name: str, leaf: Leaf) -> _Job | None:
        path = directory + name if directory == "/" else f"{directory}/{name}"
        header = self._modifier.change(path, leaf.header, skip_xattrs=self._skip_xattrs)
        if header is None:
            return None
        content = leaf.content
        if isinstance(content, bytes | os.PathLike):
            return _Job(node, path, name, header, content)
        if isinstance(content, bytearray | memoryview):
            return _Job(node, path, name, header, _frozen(content))
        with doing(path):
            return _Job(node, path, name, header, None, self._store_stream(header, content))

    # -- storing -----------------------------------------------------------------------------

    def _run(self, job: _Job) -> tuple[_Job, _Stored]:
        if job.done is not None:
            return job, job.done
        assert job.content is not None
        with doing(job.path):
            if isinstance(job.content, os.PathLike):
                return job, self._store_local(job.header, job.content)
            return job, self._store_bytes(job.header, job.content)

    def _store_bytes(self, header: FileHeader, content: Buffer) -> _Stored:
        return _Stored(self._store.put_bytes(header, content), len(content))

    def _store_local(self, header: FileHeader, path: os.PathLike[str]) -> _Stored:
        parent, name = Dir.above(path)
        with parent, InputFile.open(parent, name) as file:
            status = file.status()
            if not stat.S_ISREG(status.st_mode):
                raise FormatError(f"Not a regular file: {os.fspath(path)}")
            size = status.st_size
            watched = WatchedFile(file, self._ledger.stats.watch)
            written = self._store.write_file_content(header, watched, size=size)
        return _Stored(written, size)

    def _store_stream(self, header: FileHeader, stream: BinaryIO) -> _Stored:
        start = _read_up_to(stream, _IN_MEMORY_BYTES)
        if len(start) < _IN_MEMORY_BYTES:
            return self._store_bytes(header, start)
        # The size stands before the content, so that it must be known first.
        chunks = watched(chain((start,), _chunks(stream)), self._ledger.stats.watch)
        with TempFile(self._store.temp) as spool:
            size = 0
            for chunk in chunks:
                spool.write(chunk)
                size += len(chunk)
            with InputFile.duplicate(spool.fd) as file:
                file.rewind()
                return _Stored(self._store.write_file_content(header, file, size=size), size)


def _frozen(content: bytearray | memoryview) -> Buffer:
    """Return content that nobody changes between hashing and writing."""
    if isinstance(content, memoryview) and content.readonly and content.c_contiguous:
        return content.cast("B")
    return bytes(content)


def _read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Read from a stream that may give less than it has, such as a pipe."""
    buffer = io.BytesIO()
    while buffer.tell() < size and (chunk := stream.read(size - buffer.tell())):
        buffer.write(chunk)
    return buffer.getvalue()


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk
