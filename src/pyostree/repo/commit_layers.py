"""The layers of a commit's tree: each is read by what fits it, over those before."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import CancelledError, OstreeError
from pyostree.fs.dir import Dir
from pyostree.progress import Phase, Watch
from pyostree.repo.commit_ledger import Ledger
from pyostree.repo.commit_repo_source import RepoSource
from pyostree.repo.commit_request import CommitRequest, TreeSource, parse_tree_source
from pyostree.repo.commit_scan import (
    UNKNOWN,
    ScanTotals,
    add_totals,
    scan_directory,
    scan_tree,
)
from pyostree.repo.commit_sources import DirectorySource
from pyostree.repo.devino import KnownInodes, scan_hardlinks
from pyostree.repo.ingest import Ingester
from pyostree.repo.memory_source import MemorySource
from pyostree.repo.memory_tree import MemoryTree
from pyostree.repo.mutable_tree import MutableTree, RootChecksums
from pyostree.repo.repo import Repo


def read_layers(repo: Repo, request: CommitRequest, ledger: Ledger) -> MutableTree:
    """Return the tree of all layers, with all content stored.

    Raises:
        OstreeError: a layer cannot be read, or does not fit over those before.
        OSError: reading a source or writing an object failed.
    """
    scans = request.link_speedup or request.devino_canonical
    known = KnownInodes(repo, scan_hardlinks(repo) if scans else {}, dict(request.devino or {}))
    reader = LayerReader(repo, request, known, ledger)
    tree = MutableTree()
    labels = request.modifier.labels
    if request.base is not None:
        tree.take_over(repo, root_of(repo, request.base))
        if labels.is_from_base:
            labels.read_from_commit(repo, request.base)
    _begin_reading(repo, request, ledger.stats.watch)
    for index, given in enumerate(request.trees):
        source = _as_source(given)
        if index == 0 and labels.is_from_base and request.base is None:
            labels.read_from_layer(repo, *_kind_and_value(source))
        ledger.begin_layer()
        reader.read(source, tree)
    return tree


def root_of(repo: Repo, rev: str) -> RootChecksums:
    """Return the tree of the commit that `rev` names."""
    found = repo.load_commit(repo.resolve(rev))
    return RootChecksums(found.root_tree, found.root_meta)


def _begin_reading(repo: Repo, request: CommitRequest, watch: Watch) -> None:
    """Begin the phase of reading, with totals if someone wants to see them."""
    if not watch.is_listening:
        return
    watch.begin(Phase.SCAN)
    try:
        totals = _estimate(repo, request, watch)
    except CancelledError:
        raise
    except (OstreeError, OSError):
        totals = UNKNOWN  # whoever reads the layer finds the same, and says so in its turn
    watch.begin(Phase.READ, totals.files, bytes_total=totals.size)


def _estimate(repo: Repo, request: CommitRequest, watch: Watch) -> ScanTotals:
    """Return what will be read, as far as a quick look can tell."""
    totals = ScanTotals(0, 0)
    for given in request.trees:
        source = _as_source(given)
        if isinstance(source, MemoryTree):
            totals = add_totals(totals, ScanTotals(*source.count()))
            continue
        if source.kind == "tar":
            return UNKNOWN
        if source.kind == "dir":
            totals = add_totals(totals, scan_directory(source.value, watch))
        elif request.reads_every_object:
            totals = add_totals(totals, scan_tree(repo, root_of(repo, source.value), watch))
        else:
            return UNKNOWN  # what is taken by reference is not counted
    return totals


def _as_source(given: TreeSource | MemoryTree | str) -> TreeSource | MemoryTree:
    return parse_tree_source(given) if isinstance(given, str) else given


def _kind_and_value(source: TreeSource | MemoryTree) -> tuple[str, str]:
    return ("memory", "") if isinstance(source, MemoryTree) else source


class LayerReader(NamedTuple):
    """Reads one layer after the other."""

    repo: Repo
    request: CommitRequest
    known: KnownInodes
    ledger: Ledger

    def read(self, source: TreeSource | MemoryTree, tree: MutableTree) -> None:
        """Overlay `tree` with one layer."""
        if isinstance(source, MemoryTree):
            MemorySource(self.repo, self.request.modifier, self.ledger).read(source, tree)
            return
        match source.kind:
            case "dir":
                self._read_directory(source.value, tree)
            case "ref":
                root = root_of(self.repo, source.value)
                is_verbatim = not self.request.reads_every_object
                RepoSource(
                    self.repo, self.request.modifier, self.ledger, is_verbatim=is_verbatim
                ).read(root, tree)
            case "tar":
                self._read_archive(source.value, tree)
            case _:
                raise OstreeError(f"Invalid tree type specification '{source.kind}'")

    def _read_archive(self, path: str, tree: MutableTree) -> None:
        from pyostree.repo.tar_import import TarSource  # what only archives need is not small

        request = self.request
        TarSource(
            self.repo,
            request.modifier,
            self.ledger,
            autocreate_parents=request.tar_autocreate_parents,
            pathname_filter=request.tar_pathname_filter,
        ).read(path, tree)

    def _read_directory(self, path: str, tree: MutableTree) -> None:
        request = self.request
        ingester = Ingester(
            self.repo,
            request.modifier,
            self.known,
            devino_canonical=request.devino_canonical,
            consume=request.consume,
            watch=self.ledger.stats.watch,
        )
        reader = DirectorySource(self.repo, request.modifier, ingester, self.ledger)
        with Dir.at(path, follow=False) as directory:
            reader.read(directory, tree)


def consume_layers(request: CommitRequest) -> None:
    """Remove the directories that were committed, if the request says so; ``.`` itself stays.

    Raises:
        OSError: something cannot be removed.
    """
    if not request.consume:
        return
    sources = [
        source for source in map(_as_source, request.trees) if isinstance(source, TreeSource)
    ]
    for path in dict.fromkeys(source.value for source in sources if source.kind == "dir"):
        _consume(path)


def _consume(path: str) -> None:
    """Remove what is left of a directory that was committed; ``.`` itself stays."""
    with Dir.at(path) as directory:
        for name in directory.list():
            directory.remove_tree(name)
    if path != ".":
        parent, name = Dir.above(path)
        with parent:
            parent.remove_dir(name)
