"""``ls -R``: lines of a whole tree, made by several processes when it is large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from pyostree.cli.tree_text import TreePrinter
from pyostree.errors import OstreeError
from pyostree.formats.dirtree import Dirtree
from pyostree.formats.objects import Checksum
from pyostree.repo.processes import SharedWork, Sharing
from pyostree.repo.repo import Repo
from pyostree.repo.tree import CommitTree, TreeDir

# Directories travel in batches with about so many entries; smaller trees are printed alone.
_BATCH_ENTRIES = 1000
_MAX_SENT_ENTRIES = 4000
# Batches that are done before an earlier one wait in memory.
_MAX_WAITING = 32

_Batch = list[tuple[TreeDir, Dirtree]]
_Item = tuple[int, _Batch]
_Packed = list[tuple[str, bytes, bytes]]


class TreeWriter:
    """Writes the lines of trees in order, whoever makes them."""

    def __init__(self, repo: Repo, printer: TreePrinter, out: TextIO) -> None:
        self._repo = repo
        self._printer = printer
        self._out = out
        self._batch: _Batch = []
        self._entries = 0
        self._submitted = 0
        self._unprinted: dict[int, _Batch] = {}
        self._texts: dict[int, str] = {}

    def write(self, tree: CommitTree, top: TreeDir) -> None:
        """Print `top` and everything below it.

        Raises:
            OstreeError, OSError: an object is missing or damaged; what comes before is printed.
        """
        sharing = Sharing(self._text, _pack, self._text_packed)
        with SharedWork(sharing, self._done) as shared:
            try:
                for found in tree.directories(top):
                    self._batch.append(found)
                    self._entries += 1 + len(found[1].files)
                    if self._entries >= _BATCH_ENTRIES:
                        self._submit(shared)
                self._submit(shared)
                shared.finish()
            except (OstreeError, OSError):
                self._print_alone()
                raise

    def _submit(self, shared: SharedWork[_Item, str]) -> None:
        if len(self._texts) >= _MAX_WAITING:
            shared.finish()
        number, batch = self._submitted, self._batch
        self._unprinted[number] = batch
        self._submitted += 1
        self._batch, self._entries = [], 0
        shared.submit((number, batch))

    def _done(self, item: _Item, text: str) -> None:
        self._texts[item[0]] = text
        while self._unprinted and (number := next(iter(self._unprinted))) in self._texts:
            self._out.write(self._texts.pop(number))
            del self._unprinted[number]

    def _print_alone(self) -> None:
        """Print in order what is left, up to the entry that cannot be shown."""
        for batch in (*self._unprinted.values(), self._batch):
            self._out.writelines(self._printer.lines(batch))

    def _text(self, item: _Item) -> str:
        return "".join(self._printer.lines(item[1]))

    def _text_packed(self, packed: _Packed, _: Sequence[int]) -> str:
        batch = []
        for path, tree, meta in packed:
            directory = TreeDir(path, Checksum(tree), Checksum(meta))
            batch.append((directory, self._repo.load_dirtree(directory.tree)))
        return "".join(self._printer.lines(batch))


def _pack(item: _Item) -> tuple[_Packed, Sequence[int]] | None:
    if sum(len(content.files) for _, content in item[1]) > _MAX_SENT_ENTRIES:
        return None  # their lines would not fit into a message
    # Only names: reading a directory again is faster than sending what it holds.
    return [(found.path, bytes(found.tree), bytes(found.meta)) for found, _ in item[1]], ()
