"""Making commits: trees are read, overlaid and written, described by metadata, named by a ref."""

from __future__ import annotations

import hashlib
import time
from typing import NamedTuple

from pyostree.errors import (
    ConflictError,
    FormatError,
    NotFoundError,
    OstreeError,
    UnsupportedError,
)
from pyostree.formats.commit import Commit, Metadata, check_metadata_keys, encode_commit
from pyostree.formats.gvariant import Variant, lookup
from pyostree.formats.objects import Checksum, ObjectType, parse_checksum
from pyostree.formats.refspec import parse_refspec
from pyostree.formats.variant_dict import variant_dict_order
from pyostree.fs.dir import Dir
from pyostree.progress import UNWATCHED, Phase, Watch
from pyostree.repo.commit_metadata import MetadataArguments, Signer
from pyostree.repo.commit_sources import DirectorySource, RepoSource
from pyostree.repo.devino import DevinoCache, scan_hardlinks
from pyostree.repo.ingest import Ingester
from pyostree.repo.modes import RepoMode
from pyostree.repo.modifier import CommitModifier, parse_path_list, parse_statoverride
from pyostree.repo.mutable_tree import MutableTree, RootChecksums
from pyostree.repo.repo import Repo
from pyostree.repo.text_file import read_text_file
from pyostree.repo.transaction import Transaction, TransactionStats

REF_BINDING = "ostree.ref-binding"
COLLECTION_BINDING = "ostree.collection-binding"
_SOURCE_KINDS = ("dir", "ref", "tar")
_MODULES = "/usr/lib/modules"


class TreeSource(NamedTuple):
    """One layer of a commit's tree: `kind` is ``dir`` or ``ref``, `value` a path or revision."""

    kind: str
    value: str


class CommitRequest(NamedTuple):
    """What to commit, and how to describe it.

    Attributes:
        branch: ref to set, and source of the parent; None for an orphan.
        parent: ``none``, 64 hex digits, or None for the branch's current commit.
        trees: layers, the later ones over the earlier ones.
        base: revision whose tree lies below all layers, not touched by `modifier`.
        metadata: pairs in the order in which they are stored.
        arguments: more metadata as text, parsed when its turn comes.
        keep_metadata: keys to copy from the parent.
        bindings: whether the commit names the refs it belongs to.
        timestamp: seconds since 1970 UTC; None for now.
        skip_if_unchanged: commit nothing when the tree equals the parent's.
        link_speedup: take hard links to objects for what they are.
        devino_canonical: trust such links even where the modifier would change something.
        consume: delete what was read from directories.
        signers: sign the new commit, one after the other.
    """

    branch: str | None
    trees: tuple[TreeSource, ...]
    modifier: CommitModifier
    orphan: bool = False
    parent: str | None = None
    base: str | None = None
    subject: str = ""
    body: str = ""
    metadata: Metadata = ()
    arguments: MetadataArguments = MetadataArguments()
    keep_metadata: tuple[str, ...] = ()
    bindings: bool = True
    bind_refs: tuple[str, ...] = ()
    bootable: bool = False
    timestamp: int | None = None
    skip_if_unchanged: bool = False
    link_speedup: bool = False
    devino_canonical: bool = False
    consume: bool = False
    signers: tuple[Signer, ...] = ()


class CommitResult(NamedTuple):
    """The new commit, or the parent when nothing changed; and what was written for it."""

    checksum: Checksum
    stats: TransactionStats


def commit(repo: Repo, request: CommitRequest, watch: Watch = UNWATCHED) -> CommitResult:
    """Commit a tree and set the ref.

    Args:
        watch: hears of the files that are read; cancelled, nothing is visible.

    Raises:
        OstreeError: a source, option or object is wrong; nothing is visible then.
        OSError: reading a source or writing an object failed.
    """
    _check_branch(request)
    parent = _find_parent(repo, request)
    if request.keep_metadata and parent is None:
        raise ConflictError(
            "Either --branch or --parent must be specified when using --keep-metadata"
        )
    metadata = request.metadata + request.arguments.parse()
    metadata += _kept_metadata(repo, parent, request.keep_metadata)
    check_metadata_keys(metadata)
    detached = request.arguments.parse_detached()
    with repo.transaction(watch) as transaction:
        watch.begin(Phase.READ)
        tree = _read_trees(repo, request, transaction.stats)
        request.modifier.check_all_matched()
        root = tree.write(lambda kind, data: _put(repo, transaction.stats, kind, data))
        if request.skip_if_unchanged and parent is not None:
            before = repo.load_commit(parent)
            if (before.root_tree, before.root_meta) == root:
                transaction.abort()
                return CommitResult(parent, TransactionStats())
        metadata = _bound_metadata(repo, request, metadata, tree)
        made = Commit(
            metadata=metadata,
            parent=parent,
            related=(),
            subject=request.subject,
            body=request.body,
            timestamp=int(time.time()) if request.timestamp is None else request.timestamp,
            root_tree=root.tree,
            root_meta=root.meta,
        )
        checksum = _write_commit(repo, transaction, made, request, detached)
        watch.finish()
    return CommitResult(checksum, transaction.stats)


def _write_commit(
    repo: Repo,
    transaction: Transaction,
    made: Commit,
    request: CommitRequest,
    detached: Metadata,
) -> Checksum:
    data = encode_commit(made)
    checksum = Checksum(hashlib.sha256(data).digest())
    if request.signers and not detached:
        # The same commit may be here already, with signatures of its own.
        detached = repo.read_detached_metadata(checksum) or ()
    for sign in request.signers:
        detached = sign(data, detached)
    if detached:
        repo.write_detached_metadata(checksum, detached)
    _put(repo, transaction.stats, ObjectType.COMMIT, data)  # last: nobody sees it unsigned
    if request.branch is not None:
        transaction.set_ref(parse_refspec(request.branch), checksum)
    return checksum


def _put(repo: Repo, stats: TransactionStats, kind: ObjectType, data: bytes) -> Checksum:
    written = repo.store.put_metadata(kind, data)
    stats.count_metadata(is_new=written.is_new)
    return written.checksum


def _check_branch(request: CommitRequest) -> None:
    if request.branch is None and not request.orphan:
        raise ConflictError("A branch must be specified with --branch, or use --orphan")
    if request.branch is not None:
        parse_refspec(request.branch)


def _find_parent(repo: Repo, request: CommitRequest) -> Checksum | None:
    if request.parent is not None:
        return None if request.parent == "none" else parse_checksum(request.parent)
    if request.orphan or request.branch is None:
        return None
    try:
        return repo.resolve_or_none(request.branch)
    except IsADirectoryError:
        return None


def _kept_metadata(repo: Repo, parent: Checksum | None, keys: tuple[str, ...]) -> Metadata:
    if parent is None or not keys:
        return ()
    before = repo.load_commit(parent)
    kept = []
    for key in keys:
        value = before.lookup(key)
        if value is None:
            raise NotFoundError(f"Missing metadata key '{key}' from commit '{parent}'")
        kept.append((key, value))
    return tuple(kept)


# -- trees -------------------------------------------------------------------------------


def _read_trees(repo: Repo, request: CommitRequest, stats: TransactionStats) -> MutableTree:
    devino: DevinoCache = {}
    if request.link_speedup or request.devino_canonical:
        devino = scan_hardlinks(repo)
    tree = MutableTree()
    if request.base is not None:
        tree.take_over(repo, _root_of(repo, request.base))
    for source in request.trees:
        _read_tree(repo, request, source, tree, devino, stats)
    return tree


def _read_tree(
    repo: Repo,
    request: CommitRequest,
    source: TreeSource,
    tree: MutableTree,
    devino: DevinoCache,
    stats: TransactionStats,
) -> None:
    match source.kind:
        case "dir":
            ingester = Ingester(
                repo,
                request.modifier,
                devino,
                devino_canonical=request.devino_canonical,
                consume=request.consume,
            )
            reader = DirectorySource(repo, request.modifier, ingester, stats)
            with Dir.at(source.value, follow=False) as directory:
                reader.read(directory, tree)
            if request.consume:
                _consume(source.value)
        case "ref":
            RepoSource(repo, request.modifier, stats).read(_root_of(repo, source.value), tree)
        case "tar":
            raise UnsupportedError("tar archives cannot be committed by this version yet")
        case _:
            raise OstreeError(f"Invalid tree type specification '{source.kind}'")


def _root_of(repo: Repo, rev: str) -> RootChecksums:
    found = repo.load_commit(repo.resolve(rev))
    return RootChecksums(found.root_tree, found.root_meta)


def _consume(path: str) -> None:
    """Remove what is left of a directory that was committed; ``.`` itself stays."""
    with Dir.at(path) as directory:
        for name in directory.list():
            directory.remove_tree(name)
    if path != ".":
        parent, name = Dir.above(path)
        with parent:
            parent.remove_dir(name)


# -- metadata ----------------------------------------------------------------------------


def _bound_metadata(
    repo: Repo, request: CommitRequest, metadata: Metadata, tree: MutableTree
) -> Metadata:
    if request.bindings:
        metadata += _bindings(repo, request, metadata)
    if not request.bootable:
        return metadata
    kernel = _find_kernel(tree)
    pairs = dict(metadata)
    pairs["ostree.bootable"] = Variant("b", True)
    pairs["ostree.linux"] = Variant("s", kernel)
    return tuple((key, pairs[key]) for key in variant_dict_order(pairs))


def _bindings(repo: Repo, request: CommitRequest, metadata: Metadata) -> Metadata:
    refs = list(request.bind_refs)
    if request.branch is not None:
        refs.append(request.branch)
    refs.sort(key=lambda ref: ref.encode("utf-8", "surrogateescape"))
    added: Metadata = ((REF_BINDING, Variant("as", tuple(refs))),)
    collection = repo.config.collection_id
    if collection is not None and lookup(metadata, COLLECTION_BINDING) is None:
        added += ((COLLECTION_BINDING, Variant("s", collection)),)
    return added


def _find_kernel(tree: MutableTree) -> str:
    modules = tree.subdirectory(_MODULES)
    found = [name for name, node in modules.dirs.items() if "vmlinuz" in node.files]
    if not found:
        raise NotFoundError(f"No kernel found in {_MODULES}")
    if len(found) > 1:
        raise ConflictError(f"Multiple kernels found in {_MODULES}")
    return found[0]


# -- what a command line gives -------------------------------------------------------------


def parse_tree_source(spec: str) -> TreeSource:
    """Return the layer that ``dir=PATH``, ``ref=REV`` or ``tar=FILE`` names.

    Raises:
        FormatError: no type, or an unknown one.
    """
    kind, equals, value = spec.partition("=")
    if not equals:
        raise FormatError(f"Missing type in tree specification '{spec}'")
    if kind not in _SOURCE_KINDS:
        raise FormatError(f"Invalid tree type specification '{kind}'")
    return TreeSource(kind, value)


def make_modifier(
    repo: Repo,
    *,
    statoverride_path: str | None = None,
    skip_list_path: str | None = None,
    owner_uid: int | None = None,
    owner_gid: int | None = None,
    canonical: bool = False,
    **options: bool,
) -> CommitModifier:
    """Return the modifier for a commit into `repo`, reading the files that it needs.

    Args:
        owner_uid: negative means not set, as for `owner_gid`.
        options: further flags of `CommitModifier`.

    Raises:
        ConflictError: an owner was given with canonical permissions, which imply root.
        FormatError: a malformed file.
        OSError: a file cannot be read.
    """
    overrides = None
    if statoverride_path is not None:
        overrides = parse_statoverride(read_text_file(statoverride_path))
    skipped = frozenset[str]()
    if skip_list_path is not None:
        skipped = parse_path_list(read_text_file(skip_list_path))
    for name, value in (("uid", owner_uid), ("gid", owner_gid)):
        if canonical and value is not None and value > 0:
            raise ConflictError(
                f"Cannot specify both --canonical-permissions and non-zero --owner-{name}"
            )
    return CommitModifier(
        owner_uid=_owner(owner_uid),
        owner_gid=_owner(owner_gid),
        statoverride=overrides,
        skip_list=skipped,
        canonical=canonical or repo.mode is RepoMode.BARE_USER_ONLY,
        **options,
    )


def _owner(value: int | None) -> int | None:
    return None if value is None or value < 0 else value
