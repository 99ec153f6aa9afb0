"""Making commits: trees are read, overlaid and written, described by metadata, named by a ref."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from pyostree.errors import ConflictError, NotFoundError, UnsupportedError
from pyostree.formats.commit import Commit, Metadata, check_metadata_keys, encode_commit
from pyostree.formats.commit_message import CommitMessage
from pyostree.formats.objects import Checksum, ObjectType, parse_checksum
from pyostree.formats.refspec import parse_refspec
from pyostree.progress import UNWATCHED, Phase, Watch
from pyostree.repo.bindings import make_bindings
from pyostree.repo.commit_bootable import bootable_metadata
from pyostree.repo.commit_layers import consume_layers, read_layers
from pyostree.repo.commit_ledger import Ledger
from pyostree.repo.commit_request import CommitRequest, TreeSource
from pyostree.repo.commit_sizes import SizeTable
from pyostree.repo.lock import one_at_a_time
from pyostree.repo.modes import RepoMode
from pyostree.repo.mutable_tree import MutableTree
from pyostree.repo.repo import Repo
from pyostree.repo.transaction import Transaction, TransactionStats

__all__ = ["CommitRequest", "CommitResult", "TreeSource", "commit"]

_TURN_NAME = "commit-lock"  # in tmp/


class CommitResult(NamedTuple):
    """The new commit, or the parent when nothing changed; and what was written for it."""

    checksum: Checksum
    stats: TransactionStats


class _Draft(NamedTuple):
    """What is known of a commit before its tree is read."""

    metadata: Metadata
    detached: Metadata
    message: CommitMessage


def commit(repo: Repo, request: CommitRequest, watch: Watch = UNWATCHED) -> CommitResult:
    """Commit a tree and set the ref.

    Args:
        watch: hears of the files that are read; cancelled, nothing is visible.

    Raises:
        OstreeError: a source, option or object is wrong; nothing is visible then.
        OSError: reading a source or writing an object failed, or, when all is committed, removing
            a source that is to be consumed.
    """
    result = _commit(repo, request, watch)
    consume_layers(request)  # no sooner: a crash must not cost files that are in no commit
    return result


def _commit(repo: Repo, request: CommitRequest, watch: Watch) -> CommitResult:
    draft = _prepare(repo, request)
    with ExitStack() as turn, repo.transaction(watch) as transaction:
        lists_sizes = request.generate_sizes and repo.mode is RepoMode.ARCHIVE
        sizes = SizeTable() if lists_sizes else None
        ledger = Ledger(repo.store, transaction.stats, sizes)
        tree = read_layers(repo, request, ledger)
        request.modifier.check_all_matched()
        root = tree.write(ledger.put_metadata)
        parent = turn.enter_context(_parent_now(repo, request))
        if request.skip_if_unchanged and parent is not None:
            before = repo.load_commit(parent)
            if (before.root_tree, before.root_meta) == root:
                transaction.abort()
                watch.finish()
                return CommitResult(parent, TransactionStats())
        metadata = _full_metadata(repo, request, draft.metadata, tree)
        if sizes is not None:
            metadata += sizes.metadata(repo.store)
        made = Commit(
            metadata=metadata,
            parent=parent,
            related=(),
            subject=draft.message.subject,
            body=draft.message.body,
            timestamp=request.clock() if request.timestamp is None else request.timestamp,
            root_tree=root.tree,
            root_meta=root.meta,
        )
        checksum = _write_commit(repo, transaction, ledger, made, request, draft.detached)
        watch.begin(Phase.WRITE)
    watch.finish()
    return CommitResult(checksum, transaction.stats)


# -- before anything is read -------------------------------------------------------------------


def _prepare(repo: Repo, request: CommitRequest) -> _Draft:
    """Check all that can be checked without the tree, in the reference's order."""
    if request.branch is None and not request.orphan:
        raise ConflictError("A branch must be specified with --branch, or use --orphan")
    parent = _find_parent(repo, request)
    if request.keep_metadata and parent is None:
        raise ConflictError(
            "Either --branch or --parent must be specified when using --keep-metadata"
        )
    metadata = request.metadata + request.arguments.parse()
    metadata += _kept_metadata(repo, parent, request.keep_metadata)
    detached = request.detached + request.arguments.parse_detached()
    request.modifier.begin(
        canonical_by_mode=repo.mode is RepoMode.BARE_USER_ONLY,
        can_hold_labels=repo.stores_xattrs,
    )
    request.modifier.check_options()
    message = CommitMessage(request.subject, request.body)
    if request.compose is not None:
        message = request.compose()
    if request.branch is not None:
        parse_refspec(request.branch)  # later than now would be after all the work
    return _Draft(metadata, detached, message)


def _find_parent(repo: Repo, request: CommitRequest) -> Checksum | None:
    if request.parent is not None:
        return None if request.parent == "none" else parse_checksum(request.parent)
    if request.orphan or request.branch is None:
        return None
    try:
        return repo.resolve_or_none(request.branch)
    except IsADirectoryError:
        return None


@contextmanager
def _parent_now(repo: Repo, request: CommitRequest) -> Iterator[Checksum | None]:
    """Give the parent, which stays the latest commit of the branch while the block runs.

    Others may have committed to the branch since this process began to read its tree.
    """
    if request.branch is None or request.orphan or request.parent is not None:
        yield _find_parent(repo, request)
        return
    with one_at_a_time(repo.tmp, _TURN_NAME):
        yield _find_parent(repo, request)


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


# -- when the tree is written ------------------------------------------------------------------


def _full_metadata(
    repo: Repo, request: CommitRequest, metadata: Metadata, tree: MutableTree
) -> Metadata:
    if request.bindings:
        refs = request.bind_refs if request.branch is None else (*request.bind_refs, request.branch)
        metadata += make_bindings(refs, repo.config.collection_id, metadata)
    if request.bootable:
        metadata = bootable_metadata(metadata, tree)
    if request.composefs:
        raise UnsupportedError("composefs is not supported in this ostree build")
    return metadata


def _write_commit(
    repo: Repo,
    transaction: Transaction,
    ledger: Ledger,
    made: Commit,
    request: CommitRequest,
    detached: Metadata,
) -> Checksum:
    check_metadata_keys(made.metadata)
    data = encode_commit(made)
    checksum = Checksum(hashlib.sha256(data).digest())
    if request.signers and not detached:
        # The same commit may be here already, with signatures of its own.
        detached = repo.read_detached_metadata(checksum) or ()
    for sign in request.signers:
        detached = sign(data, detached)
    if detached:
        repo.write_detached_metadata(checksum, detached)
    ledger.put_metadata(ObjectType.COMMIT, data)  # last: nobody sees it unsigned
    if request.branch is not None:
        transaction.set_ref(parse_refspec(request.branch), checksum)
    return checksum
