"""Where the tree of a commit comes from: directories, and trees of the repository itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.file_header import FileHeader, encode_header
from pyostree.formats.objects import Checksum, ObjectType
from pyostree.fs.dir import Dir
from pyostree.fs.xattr import read_fd_xattrs
from pyostree.repo.ingest import Entries, Ingested, Ingester, Outcome
from pyostree.repo.modifier import CommitModifier, Ownership
from pyostree.repo.mutable_tree import MutableTree, RootChecksums
from pyostree.repo.repo import Repo
from pyostree.repo.transaction import TransactionStats

# Up to this depth the handles of all parents stay open; deeper directories are walked to anew.
_MAX_OPEN_DEPTH = 200


class DirmetaWriter:
    """Stores dirmetas; equal ones, of which a tree has thousands, are looked up once."""

    def __init__(self, repo: Repo, stats: TransactionStats) -> None:
        self._repo = repo
        self._stats = stats
        self._known: dict[bytes, Checksum] = {}

    def put(self, meta: Dirmeta) -> Checksum:
        """Store one dirmeta and return its checksum."""
        data = encode_dirmeta(meta)
        known = self._known.get(data)
        if known is not None:
            self._stats.count_metadata(is_new=False)
            return known
        written = self._repo.store.put_metadata(ObjectType.DIRMETA, data)
        self._stats.count_metadata(is_new=written.is_new)
        self._known[data] = written.checksum
        return written.checksum


class _Pending(NamedTuple):
    """A directory still to be read; `parent` is None where it must be walked to from the root."""

    parent: Dir | None
    parent_node: MutableTree
    name: str
    path: str


class DirectorySource:
    """Reads a directory of the file system into a tree."""

    def __init__(
        self,
        repo: Repo,
        modifier: CommitModifier,
        ingester: Ingester,
        stats: TransactionStats,
    ) -> None:
        self._modifier = modifier
        self._ingester = ingester
        self._stats = stats
        self._dirmetas = DirmetaWriter(repo, stats)
        self._skip_xattrs = modifier.skip_xattrs or repo.config.disable_xattrs

    def read(self, source: Dir, tree: MutableTree) -> None:
        """Overlay `tree` with the directory `source`.

        Raises:
            FormatError: something is neither directory, file nor symlink.
            InvalidNameError: a name is not UTF-8.
            ConflictError: a directory would replace a file, or the reverse.
        """
        # Closed whatever happens: no thread may write on after the transaction has ended.
        with closing(self._ingester.ingest(self._walk(source, tree))) as results:
            for node, found in results:
                for item in found:
                    node.add_file(item.name, item.checksum)
                    self._count(item)

    def _count(self, item: Ingested) -> None:
        match item.outcome:
            case Outcome.CACHE_HIT:
                self._stats.count_cache_hit()
            case Outcome.ADOPTED:
                self._stats.watch.advance()  # not counted by the reference either
            case outcome:
                self._stats.count_content(item.size, is_new=outcome is Outcome.WRITTEN)

    def _walk(self, source: Dir, tree: MutableTree) -> Iterator[Entries]:
        wanted = self._wanted(source, "/")
        if wanted is None:
            return
        tree.meta = self._put_meta(source, wanted)
        entries, stack = self._scan(source, tree, "/")
        yield entries
        while stack:
            pending = stack.pop()
            directory = self._open(source, pending)
            wanted = self._wanted(directory, pending.path)
            if wanted is None:
                continue
            node = pending.parent_node.ensure_dir(pending.name)
            node.meta = self._put_meta(directory, wanted)
            entries, below = self._scan(directory, node, pending.path)
            stack.extend(below)
            yield entries

    def _open(self, source: Dir, pending: _Pending) -> Dir:
        if pending.parent is None:
            return source.walk(pending.path)
        return pending.parent.open_dir(pending.name, follow=False)

    def _wanted(self, directory: Dir, path: str) -> Ownership | None:
        status = directory.stat_self()
        found = Ownership(status.st_uid, status.st_gid, status.st_mode)
        return self._modifier.apply(path, found)

    def _put_meta(self, directory: Dir, wanted: Ownership) -> Checksum:
        xattrs = () if self._skip_xattrs else read_fd_xattrs(directory.fileno())
        return self._dirmetas.put(Dirmeta(*wanted, xattrs))

    def _scan(self, directory: Dir, node: MutableTree, path: str) -> tuple[Entries, list[_Pending]]:
        lead = path if path == "/" else path + "/"
        held = directory if path.count("/") < _MAX_OPEN_DEPTH else None
        names: list[tuple[str, bool]] = []
        below = []
        for entry in directory.scan():
            if entry.is_symlink():
                names.append((entry.name, True))
            elif entry.is_dir(follow_symlinks=False):
                below.append(_Pending(held, node, entry.name, lead + entry.name))
            elif entry.is_file(follow_symlinks=False):
                names.append((entry.name, False))
            else:
                raise FormatError(f"Not a regular file or symlink: {entry.name}")
        return Entries(directory, node, path, names), below


class RepoSource:
    """Reads the tree of a commit in the repository into a tree."""

    def __init__(self, repo: Repo, modifier: CommitModifier, stats: TransactionStats) -> None:
        self._repo = repo
        self._modifier = modifier
        self._stats = stats
        self._dirmetas = DirmetaWriter(repo, stats)
        self._is_verbatim = not modifier.is_active

    def read(self, root: RootChecksums, tree: MutableTree) -> None:
        """Overlay `tree` with the tree `root` (errors as `DirectorySource.read`)."""
        if self._is_verbatim and tree.take_over(self._repo, root):
            return
        self._merge(root, tree)

    def _merge(self, root: RootChecksums, tree: MutableTree) -> None:
        meta = self._change_meta("/", root.meta)
        if meta is None:
            return
        tree.meta = meta
        stack = [("/", root.tree, tree)]
        while stack:
            path, checksum, node = stack.pop()
            lead = path if path == "/" else path + "/"
            content = self._repo.load_dirtree(checksum)
            for name, file in content.files:
                changed = self._change_file(lead + name, file)
                if changed is not None:
                    node.add_file(name, changed)
            for name, below, below_meta in content.dirs:
                meta = self._change_meta(lead + name, below_meta)
                if meta is not None:
                    child = node.ensure_dir(name)
                    if self._is_verbatim and child.take_over(
                        self._repo, RootChecksums(below, meta)
                    ):
                        continue  # nothing of it can change: no need to read it
                    child.meta = meta
                    stack.append((lead + name, below, child))

    def _change_meta(self, path: str, checksum: Checksum) -> Checksum | None:
        if self._is_verbatim:
            return checksum
        meta = self._repo.load_dirmeta(checksum)
        wanted = self._modifier.apply(path, Ownership(meta.uid, meta.gid, meta.mode))
        if wanted is None:
            return None
        xattrs = () if self._modifier.skip_xattrs else meta.xattrs
        return self._dirmetas.put(Dirmeta(*wanted, xattrs))

    def _change_file(self, path: str, checksum: Checksum) -> Checksum | None:
        store = self._repo.store
        if self._is_verbatim:
            size = store.read_header(checksum)[1]
            self._stats.count_content(size, is_new=False)
            return checksum
        with store.open_content(checksum) as content:
            header = content.header
            wanted = self._modifier.apply(path, Ownership(header.uid, header.gid, header.mode))
            if wanted is None:
                return None
            xattrs = () if self._modifier.skip_xattrs else header.xattrs
            changed = FileHeader(*wanted, header.target, xattrs)
            if changed == header and store.has_own_content(checksum):
                self._stats.count_content(content.size, is_new=False)
                return checksum
            wanted_name = _hash(changed, content.chunks())
        if store.has_own_content(wanted_name):
            self._stats.count_content(content.size, is_new=False)
            return wanted_name
        with store.open_content(checksum) as content:
            written = store.write_content(
                changed, content.chunks(), size=content.size, expected=wanted_name
            )
        self._stats.count_content(content.size, is_new=written.is_new)
        return written.checksum


def _hash(header: FileHeader, chunks: Iterator[bytes]) -> Checksum:
    digest = hashlib.sha256(encode_header(header))
    for chunk in chunks:
        digest.update(chunk)
    return Checksum(digest.digest())
