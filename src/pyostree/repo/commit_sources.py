"""Directories of the file system as sources of a commit's tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.dirmeta import Dirmeta
from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.fs.xattr import read_fd_xattrs
from pyostree.repo.commit_ledger import Ledger
from pyostree.repo.ingest import Entries, Ingested, Ingester, Outcome
from pyostree.repo.modifier import CommitModifier, Ownership
from pyostree.repo.mutable_tree import MutableTree
from pyostree.repo.repo import Repo

# Up to this depth the handles of all parents stay open; deeper directories are walked to anew.
_MAX_OPEN_DEPTH = 200


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
        ledger: Ledger,
    ) -> None:
        self._modifier = modifier
        self._ingester = ingester
        self._ledger = ledger
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
                self._ledger.stats.count_cache_hit(item.size)
            case Outcome.ADOPTED:
                # Not counted by the reference either.
                self._ledger.stats.watch.advance(1, item.size)
            case outcome:
                is_new = outcome is Outcome.WRITTEN
                self._ledger.add_content(
                    item.checksum, item.size, is_new=is_new, target=item.target
                )

    def _walk(self, source: Dir, tree: MutableTree) -> Iterator[Entries]:
        wanted = self._wanted(source, "/")
        if wanted is None:
            return
        tree.meta = self._put_meta(source, "/", wanted)
        entries, stack = self._scan(source, tree, "/")
        yield entries
        while stack:
            pending = stack.pop()
            directory = self._open(source, pending)
            wanted = self._wanted(directory, pending.path)
            if wanted is None:
                continue
            node = pending.parent_node.ensure_dir(pending.name)
            node.meta = self._put_meta(directory, pending.path, wanted)
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

    def _put_meta(self, directory: Dir, path: str, wanted: Ownership) -> Checksum:
        xattrs = () if self._skip_xattrs else read_fd_xattrs(directory.fileno())
        xattrs = self._modifier.labels.relabel(path, wanted.mode, xattrs)
        return self._ledger.put_dirmeta(Dirmeta(*wanted, xattrs))

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
