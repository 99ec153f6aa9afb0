"""Regenerating the summary: the index of refs that a repository publishes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from pyostree.errors import FormatError, doing
from pyostree.formats import summary as keys
from pyostree.formats.commit import Commit, Metadata, encode_commit, encode_metadata
from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.dirtree import Dirtree, encode_dirtree
from pyostree.formats.gvariant import Variant, encode, parse_text
from pyostree.formats.objects import MAX_METADATA_BYTES, Checksum, ObjectType, parse_checksum
from pyostree.formats.refspec import CollectionRef, Refspec
from pyostree.formats.summary import big_endian_variant, ordered_metadata
from pyostree.formats.summary_rows import join_collections, join_rows, join_summary
from pyostree.fs.dir import Dir, random_name
from pyostree.repo.bindings import COLLECTION_BINDING, REF_BINDING
from pyostree.repo.commit_metadata import Signer
from pyostree.repo.delta_dirs import DeltaName
from pyostree.repo.delta_index import delta_list, read_delta_digests, write_delta_indexes
from pyostree.repo.lock import one_at_a_time
from pyostree.repo.remote_groups import remote_collections
from pyostree.repo.repo import Repo
from pyostree.repo.summary_rows import RowMaker, note_summary

SUMMARY_NAME = "summary"
SIGNATURE_NAME = "summary.sig"
METADATA_REF = "ostree-metadata"
_TURN_NAME = "summary-lock"  # in tmp/
_EMPTY_TREE = encode_dirtree(Dirtree((), ()))
_ROOT_META = encode_dirmeta(Dirmeta(0, 0, 0o40755, ()))


def update_summary(
    repo: Repo,
    *,
    metadata: Metadata = (),
    timestamp: int | None = None,
    signers: Sequence[Signer] = (),
    commit_signers: Sequence[Signer] | None = None,
) -> None:
    """Publish a new summary, as ``ostree summary -u`` does.

    In a repository with a collection ID this first commits the metadata to `METADATA_REF`, so that
    mirrors can check them.

    Args:
        metadata: extra keys of the summary.
        timestamp: of that commit; None for now.
        signers: sign the summary.
        commit_signers: sign that commit; None for `signers`.

    Raises:
        OstreeError, OSError: a ref or its commit cannot be read, or signing fails; the old summary
            stays then.
    """
    with repo.lock.held(exclusive=False):
        if repo.config.collection_id is not None:
            when = int(time.time()) if timestamp is None else timestamp
            commit = _metadata_commit(repo, repo.config.collection_id, metadata, when)
            by = signers if commit_signers is None else commit_signers
            _store_metadata_commit(repo, repo.config.collection_id, commit, by)
        regenerate_summary(repo, metadata=metadata, signers=signers)


def regenerate_summary(
    repo: Repo,
    *,
    metadata: Metadata = (),
    signers: Sequence[Signer] = (),
) -> None:
    """Publish a new summary of all refs; arguments and errors as `update_summary`."""
    # One that has read the refs before another's changes must not be published after that one's.
    with repo.lock.held(exclusive=False), one_at_a_time(repo.tmp, _TURN_NAME):
        digests = read_delta_digests(repo)
        data = _make_summary(repo, metadata, digests)
        write_delta_indexes(repo, digests)
        signatures = ordered_metadata(_sign(data, signers))
        publish_summary(repo, data, encode_metadata(signatures) if signers else None)
        note_summary(repo, data)


def _sign(data: bytes, signers: Sequence[Signer]) -> Metadata:
    signatures: Metadata = ()
    for sign in signers:
        signatures = sign(data, signatures)
    return signatures


def parse_summary_metadata(arguments: Iterable[str]) -> Metadata:
    """Return the pairs that ``KEY=VALUE`` arguments give, values in GVariant's text format.

    Raises:
        FormatError: no ``=``, or a value that cannot be parsed.
    """
    pairs = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise FormatError(f"Missing '=' in KEY=VALUE metadata '{argument}'")
        with doing(f"Error parsing variant ‘{value}’: "):  # the reference has two colons here
            pairs.append((key, parse_text(value)))
    return tuple(pairs)


def read_summary(repo: Repo) -> bytes:
    """Return the published summary.

    Raises:
        OSError: there is none, or it cannot be read.
    """
    return repo.dir.read_file(SUMMARY_NAME, max_bytes=MAX_METADATA_BYTES)


def read_summary_signature(repo: Repo) -> bytes | None:
    """Return the signatures published beside the summary, or None."""
    try:
        return repo.dir.read_file(SIGNATURE_NAME, max_bytes=MAX_METADATA_BYTES)
    except FileNotFoundError:
        return None


def publish_summary(repo: Repo, summary: bytes, signature: bytes | None) -> None:
    """Replace the published summary and its signatures; without any, old ones are deleted.

    Both files are whole before the first is renamed. Between the renames a client may see a new
    summary with old signatures and has to try again: the format knows no better.
    """
    work = random_name("summary-")
    repo.tmp.make_dir(work, 0o755)
    try:
        with repo.tmp.open_dir(work) as directory:
            _write_pair(directory, summary, signature, sync=repo.fsync)
            directory.rename(SUMMARY_NAME, SUMMARY_NAME, to_dir=repo.dir)
            if signature is not None:
                _rename_signature(repo, directory)
        if signature is None:
            repo.dir.remove(SIGNATURE_NAME, missing_ok=True)
        if repo.fsync:
            repo.dir.sync()
    finally:
        repo.tmp.remove_tree(work)


def _write_pair(directory: Dir, summary: bytes, signature: bytes | None, *, sync: bool) -> None:
    directory.replace_file(SUMMARY_NAME, summary, sync=False)
    if signature is not None:
        directory.replace_file(SIGNATURE_NAME, signature, sync=False)
        directory.copy_times(SIGNATURE_NAME, SUMMARY_NAME)  # caches drop both together
        if sync:
            directory.sync_file(SIGNATURE_NAME)
    if sync:
        directory.sync_file(SUMMARY_NAME)


def _rename_signature(repo: Repo, directory: Dir) -> None:
    try:
        with doing("Unable to rename summary signature file: "):  # two colons in the reference
            directory.rename(SIGNATURE_NAME, SIGNATURE_NAME, to_dir=repo.dir)
    except OSError:
        with suppress(OSError):
            repo.dir.remove(SIGNATURE_NAME, missing_ok=True)  # it is that of another summary
        raise


def _make_summary(repo: Repo, metadata: Metadata, digests: Mapping[DeltaName, bytes]) -> bytes:
    pairs = list(metadata)
    if not repo.config.keyfile.get_boolean("core", "no-deltas-in-summary", False) and digests:
        pairs.append((keys.STATIC_DELTAS, delta_list(digests.items())))
    pairs += _fixed_metadata(repo)
    refs, others = _list_refs(repo)
    if repo.config.collection_id is not None:
        pairs.append((keys.COLLECTION_ID, Variant("s", repo.config.collection_id)))
    encoded = [(key, encode("v", value)) for key, value in pairs]
    if others:
        encoded.append((keys.COLLECTION_MAP, join_collections(others)))
    return join_summary(refs, encoded)


def _fixed_metadata(repo: Repo) -> list[tuple[str, Variant]]:
    mode = repo.config.keyfile.get_raw("core", "mode") or "bare"
    return [
        (keys.LAST_MODIFIED, big_endian_variant(int(time.time()))),
        (keys.MODE, Variant("s", mode)),
        (keys.TOMBSTONE_COMMITS, Variant("b", repo.config.tombstone_commits())),
        (keys.INDEXED_DELTAS, Variant("b", True)),
    ]


def _list_refs(repo: Repo) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Return the main list, and those of other collections by their ID, serialized."""
    own_id = repo.config.collection_id
    by_collection: dict[str, dict[str, str]] = {}
    for ref, text in repo.refs.list_collections(own_id, remote_collections(repo)).items():
        by_collection.setdefault(ref.collection_id or "", {})[ref.ref] = text
    main = repo.refs.list(remotes=False) if own_id is None else by_collection.pop(own_id, {})
    maker = RowMaker(repo, _read_published(repo))
    others = [(key, _rows(maker, refs)) for key, refs in sorted(by_collection.items())]
    return _rows(maker, main), others


def _read_published(repo: Repo) -> bytes | None:
    try:
        return read_summary(repo)
    except OSError:
        return None


def _rows(maker: RowMaker, refs: Mapping[str, str]) -> bytes:
    """Return a list of refs, whose commits must be there."""
    names = sorted(refs, key=str.encode)
    return join_rows(maker.row(name, parse_checksum(refs[name])) for name in names)


def _metadata_commit(repo: Repo, own_id: str, metadata: Metadata, timestamp: int) -> Commit:
    """Return a commit of `metadata`, with an empty tree."""
    bindings = (
        (COLLECTION_BINDING, Variant("s", own_id)),
        (REF_BINDING, Variant("as", (METADATA_REF,))),
    )
    return Commit(
        metadata=ordered_metadata([*metadata, *bindings]),
        parent=repo.resolve_ref(Refspec(None, METADATA_REF), fallback=False),
        related=(),
        subject="",
        body="",
        timestamp=timestamp,
        root_tree=Checksum(hashlib.sha256(_EMPTY_TREE).digest()),
        root_meta=Checksum(hashlib.sha256(_ROOT_META).digest()),
    )


def _store_metadata_commit(
    repo: Repo, own_id: str, commit: Commit, signers: Sequence[Signer]
) -> None:
    with repo.transaction() as transaction:
        transaction.updates_summary = False
        repo.write_metadata(ObjectType.DIRTREE, _EMPTY_TREE, expected=commit.root_tree)
        repo.write_metadata(ObjectType.DIRMETA, _ROOT_META, expected=commit.root_meta)
        data = encode_commit(commit)
        written = repo.write_metadata(ObjectType.COMMIT, data)
        if signatures := _sign(data, signers):
            repo.write_detached_metadata(written, ordered_metadata(signatures))
        transaction.set_collection_ref(CollectionRef(own_id, METADATA_REF), written)
