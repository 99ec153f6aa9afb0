"""The tree of a commit in the repository as a source of another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyostree.formats.objects import Checksum
from pyostree.repo.ancestors import Ancestors
from pyostree.repo.commit_ledger import Ledger
from pyostree.repo.modifier import CommitModifier
from pyostree.repo.mutable_tree import MutableTree, RootChecksums
from pyostree.repo.parallel import map_ordered, worker_pool
from pyostree.repo.repo import Repo

_BATCH_FILES = 128
_BATCHES_AHEAD = 8


class _Files(NamedTuple):
    """Files of one directory: names with checksums."""

    node: MutableTree
    lead: str
    files: tuple[tuple[str, Checksum], ...]


class _Taken(NamedTuple):
    """A file as it stands in the new tree."""

    node: MutableTree
    name: str
    checksum: Checksum
    size: int
    is_new: bool
    target: str = ""


class RepoSource:
    """Reads the tree of a commit into a tree.

    Unless the objects may change it is taken by reference, as far as nothing is in its way; what
    has to be merged is taken by name, and its content is not read either.
    """

    def __init__(
        self, repo: Repo, modifier: CommitModifier, ledger: Ledger, *, is_verbatim: bool
    ) -> None:
        self._repo = repo
        self._modifier = modifier
        self._ledger = ledger
        self._is_verbatim = is_verbatim
        self._skip_xattrs = modifier.skip_xattrs or repo.config.disable_xattrs

    def read(self, root: RootChecksums, tree: MutableTree) -> None:
        """Overlay `tree` with the tree `root`.

        Raises:
            ConflictError: a directory would replace a file, or the reverse.
            CorruptObjectError: a directory of it holds itself.
            OstreeError: an object is missing or damaged.
        """
        if self._is_verbatim and tree.take_over(self._repo, root):
            return
        with worker_pool() as pool:
            # The pool ends before the transaction: no thread may write on after that.
            for batch in map_ordered(
                pool, self._take_batch, _batches(self._walk(root, tree)), ahead=_BATCHES_AHEAD
            ):
                for taken in batch:
                    self._add(taken)

    def _add(self, taken: _Taken) -> None:
        taken.node.add_file(taken.name, taken.checksum)
        self._ledger.add_content(
            taken.checksum, taken.size, is_new=taken.is_new, target=taken.target
        )

    # -- directories ---------------------------------------------------------------------

    def _walk(self, root: RootChecksums, tree: MutableTree) -> Iterator[_Files]:
        meta = self._change_meta("/", root.meta)
        if meta is None:
            return
        tree.meta = meta
        ancestors = Ancestors()
        stack = [(0, "/", root.tree, tree)]
        while stack:
            depth, lead, checksum, node = stack.pop()
            ancestors.enter(depth, checksum)
            content = self._repo.load_dirtree(checksum)
            yield _Files(node, lead, content.files)
            for name, below, below_meta in content.dirs:
                meta = self._change_meta(lead + name, below_meta)
                if meta is None:
                    continue
                child = node.ensure_dir(name)
                if self._is_verbatim and child.take_over(self._repo, RootChecksums(below, meta)):
                    continue  # nothing of it can change: no need to read it
                child.meta = meta
                stack.append((depth + 1, f"{lead}{name}/", below, child))

    def _change_meta(self, path: str, checksum: Checksum) -> Checksum | None:
        if self._is_verbatim:
            return checksum
        meta = self._repo.load_dirmeta(checksum)
        changed = self._modifier.change(path, meta, skip_xattrs=self._skip_xattrs)
        return None if changed is None else self._ledger.put_dirmeta(changed)

    # -- files, in several threads -------------------------------------------------------

    def _take_batch(self, batch: list[_Files]) -> list[_Taken]:
        found = []
        for node, lead, files in batch:
            for name, checksum in files:
                taken = self._take(node, lead, name, checksum)
                if taken is not None:
                    found.append(taken)
        return found

    def _take(self, node: MutableTree, lead: str, name: str, checksum: Checksum) -> _Taken | None:
        store = self._repo.store
        may_stay = self._is_verbatim and not self._skip_xattrs
        if may_stay and store.has_own_content(checksum):
            return _Taken(node, name, checksum, 0, False)
        header, size = store.read_header(checksum)
        changed = self._modifier.change(lead + name, header, skip_xattrs=self._skip_xattrs)
        if changed is None:
            return None
        if changed == header and store.has_own_content(checksum):
            return _Taken(node, name, checksum, size, False, header.target)
        written = store.write_changed(checksum, changed)
        return _Taken(node, name, written.checksum, size, written.is_new, header.target)


def _batches(listed: Iterable[_Files]) -> Iterator[list[_Files]]:
    """Group what was listed into portions of about the same number of files."""
    batch: list[_Files] = []
    count = 0
    for node, lead, files in listed:
        for start in range(0, len(files), _BATCH_FILES):
            part = files[start : start + _BATCH_FILES]
            batch.append(_Files(node, lead, part))
            count += len(part)
            if count >= _BATCH_FILES:
                yield batch
                batch, count = [], 0
    if batch:
        yield batch
