"""`export_tar`: a commit's tree as a tar archive.

Workers read and decompress files ahead, many at once; the archive comes out in order, as pieces of
some MiB. Files that would not fit into a batch are streamed when their turn comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pyostree.errors import CorruptObjectError, NotADirectoryInTreeError, OstreeError, doing
from pyostree.formats import tar_writer
from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import Checksum
from pyostree.formats.tar_writer import (
    END_OF_ARCHIVE,
    RECORD_BYTES,
    TarEntry,
    encode_tar_entry,
    padding,
)
from pyostree.fs.output_file import OutputFile
from pyostree.progress import UNWATCHED, Phase, Watch
from pyostree.repo.parallel import batches, map_ordered, worker_pool
from pyostree.repo.repo import Repo
from pyostree.repo.store.content import OpenContent
from pyostree.repo.tree import CommitTree, TreeDir, TreeFile

_BATCH_FILES = 64
_BATCH_BYTES = 8 << 20


class _File(NamedTuple):
    """A file or symlink of the tree; `first` has the same content under an earlier path."""

    path: bytes
    checksum: Checksum
    first: bytes | None


def export_tar(
    repo: Repo,
    rev: str,
    *,
    subpath: str | None = None,
    prefix: str = "",
    pad_record: bool = True,
    watch: Watch = UNWATCHED,
) -> Iterator[bytes]:
    """Return the pieces of a tar archive in GNU's format with the tree of a commit.

    As in the reference, the modification time of everything is the commit's, files that occur a
    second time are hard links to the first, and xattrs have no place in the format.

    Args:
        subpath: only this directory of the tree.
        prefix: stands before every name as it is, so that a directory needs its slash.
        pad_record: fill up the last record, as for tapes and pipes.
        watch: hears of every file.

    Raises:
        OstreeError: the commit or the path does not exist, at once; an object is missing or
            damaged, when its turn comes.
    """
    commit = repo.resolve(rev)
    tree = CommitTree(repo, commit)
    top = tree.look_up(subpath) if subpath and subpath != "/" else tree.root
    if isinstance(top, TreeFile):
        raise NotADirectoryInTreeError(f"Not a directory: {top.path}")
    exporter = _Exporter(repo, repo.load_commit(commit).timestamp)
    return exporter.pieces(tree, top, prefix, pad_record=pad_record, watch=watch)


def export_to_file(
    repo: Repo,
    rev: str,
    path: str,
    *,
    subpath: str | None = None,
    prefix: str = "",
    watch: Watch = UNWATCHED,
) -> None:
    """Write such an archive into a file; one that did not exist is gone again after an error.

    Raises:
        OstreeError: see `export_tar`; or the file cannot be opened.
        OSError: writing failed.
    """
    commit = str(repo.resolve(rev))  # before the file is touched
    try:
        output = OutputFile(path)
    except OSError as err:
        raise OstreeError(f"Failed to open '{path}'") from err
    with output:
        pad_record = not output.is_regular
        pieces = export_tar(
            repo, commit, subpath=subpath, prefix=prefix, pad_record=pad_record, watch=watch
        )
        for piece in pieces:
            output.write(piece)


class _Exporter:
    def __init__(self, repo: Repo, timestamp: int) -> None:
        self._repo = repo
        self._mtime = timestamp

    def pieces(
        self, tree: CommitTree, top: TreeDir, prefix: str, *, pad_record: bool, watch: Watch
    ) -> Iterator[bytes]:
        watch.begin(Phase.WRITE)
        total = 0
        with worker_pool() as pool:
            jobs = batches(self._jobs(tree, top, prefix), _BATCH_FILES)
            for count, results in map_ordered(pool, self._read_batch, jobs):
                for piece in self._finished(results):
                    total += len(piece)
                    yield piece
                watch.advance(count)
        yield END_OF_ARCHIVE
        total += len(END_OF_ARCHIVE)
        if pad_record:
            yield bytes(-total % RECORD_BYTES)
        watch.finish()

    # -- the tree, in the calling thread ---------------------------------------------------

    def _jobs(self, tree: CommitTree, top: TreeDir, prefix: str) -> Iterator[bytes | _File]:
        """Yield headers of directories, and files still to be read."""
        first_paths: dict[Checksum, bytes] = {}
        skipped = len(top.path) if top.path.endswith("/") else len(top.path) + 1
        for entry in tree.walk(top):
            path = (prefix + entry.path[skipped:]).encode("utf-8", "surrogateescape")
            if isinstance(entry, TreeDir):
                yield self._directory(path or b".", entry)
            else:
                first = first_paths.setdefault(entry.checksum, path)
                yield _File(path, entry.checksum, None if first is path else first)

    def _directory(self, path: bytes, entry: TreeDir) -> bytes:
        meta = self._repo.load_dirmeta(entry.meta)
        if not path.endswith(b"/"):
            path += b"/"
        kind = tar_writer.DIRECTORY
        return encode_tar_entry(
            TarEntry(path, kind, meta.mode, meta.uid, meta.gid, mtime=self._mtime)
        )

    # -- files, in several threads -------------------------------------------------------

    def _read_batch(self, batch: list[bytes | _File]) -> tuple[int, list[bytes | _File]]:
        """Return the size of a batch, and its pieces; files that are too large as they are."""
        done: list[bytes | _File] = []
        room = _BATCH_BYTES
        for job in batch:
            if not isinstance(job, _File):
                done.append(job)
            elif job.first is not None:
                header, _ = self._repo.store.read_header(job.checksum)
                done.append(self._header(job, header, 0))
            else:
                with self._repo.store.open_content(job.checksum) as content:
                    if content.size > room:
                        done.append(job)
                    else:
                        done.extend(self._member(job, content))
                        room -= content.size
        return len(batch), done

    def _member(self, file: _File, content: OpenContent) -> Iterator[bytes]:
        """Yield a file with its header.

        Raises:
            CorruptObjectError: it is not of the size that it should have.
        """
        yield self._header(file, content.header, content.size)
        left = content.size
        with doing(f"{file.checksum}.file"):
            for chunk in _chunks(content):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
            if left:
                raise CorruptObjectError(f"Unexpected size of {file.path.decode(errors='replace')}")
        yield padding(content.size)

    def _header(self, file: _File, header: FileHeader, size: int) -> bytes:
        kind, target = tar_writer.FILE, b""
        if header.is_symlink:
            kind, target = tar_writer.SYMLINK, header.target.encode("utf-8", "surrogateescape")
        elif file.first is not None:
            kind, target = tar_writer.HARD_LINK, file.first
        return encode_tar_entry(
            TarEntry(
                file.path, kind, header.mode, header.uid, header.gid, size, self._mtime, target
            )
        )

    def _finished(self, results: list[bytes | _File]) -> Iterator[bytes]:
        """Yield a batch in few pieces, reading what was too large for it now."""
        ready: list[bytes] = []
        for result in results:
            if isinstance(result, bytes):
                ready.append(result)
                continue
            yield b"".join(ready)
            ready.clear()
            with self._repo.store.open_content(result.checksum) as content:
                yield from self._member(result, content)
        yield b"".join(ready)


def _chunks(content: OpenContent) -> Iterator[bytes]:
    """Yield the content; a small file that is as it is in one piece, without looking for more."""
    if content.raw is None or content.size > _BATCH_BYTES:
        return content.chunks()
    return iter((content.raw.read_exactly(content.size),))
