"""What `Repo.commit` takes and `Repo.history` yields, in the terms of the layers below."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pyostree.formats.commit import Commit, Metadata
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum
from pyostree.repo.commit import CommitRequest, TreeSource, commit
from pyostree.repo.devino import DevinoCache
from pyostree.repo.memory_tree import MemoryTree
from pyostree.repo.modifier import CommitModifier
from pyostree.repo.repo import Repo
from pyostree.repo.traverse import iter_history

if TYPE_CHECKING:
    from pyostree.api.keys import SigningKey

__all__ = ["HistoryEntry", "Layer", "MetadataValue", "as_metadata", "commit", "iter_commits"]

Layer = str | os.PathLike[str] | MemoryTree | TreeSource
MetadataValue = str | bool | bytes | Variant


class CommitOptions(NamedTuple):
    """What few commits need.

    Attributes:
        base: revision whose tree lies below all others, untouched by the modifier.
        keep_metadata: keys to copy from the parent's metadata.
        bindings: whether the commit names the refs that it is made for.
        bind_refs: more such refs, beside the branch.
        bootable: mark the commit as bootable; it must hold one kernel.
        composefs: add the digest of the tree's composefs image.
        skip_if_unchanged: commit nothing when the tree equals the parent's.
        consume: delete what was read from directories.
        link_speedup: take hard links to objects of the repository for these objects.
        devino: hard links to objects that a checkout has noted, likewise.
        devino_canonical: also where the modifier would change something.
        generate_sizes: list the sizes of objects in the commit; only archive repositories do.
        tar_autocreate_parents: make the directories that members of archives need, and a root.
        tar_pathname_filter: ``REGEX,REPLACEMENT`` for the names of such members.
        gpg_keys: IDs of secret OpenPGP keys that sign the commit.
        gpg_home: home directory of GnuPG with these keys; None for the user's own.
        sign_keys: keys of other engines that sign it, too.
    """

    base: str | None = None
    keep_metadata: tuple[str, ...] = ()
    bindings: bool = True
    bind_refs: tuple[str, ...] = ()
    bootable: bool = False
    composefs: bool = False
    skip_if_unchanged: bool = False
    consume: bool = False
    link_speedup: bool = False
    devino: DevinoCache | None = None
    devino_canonical: bool = False
    generate_sizes: bool = False
    tar_autocreate_parents: bool = False
    tar_pathname_filter: str | None = None
    gpg_keys: tuple[str, ...] = ()
    gpg_home: str | None = None
    sign_keys: tuple[SigningKey, ...] = ()


class HistoryEntry(NamedTuple):
    """One commit of a history."""

    checksum: Checksum
    commit: Commit


def iter_commits(repo: Repo, checksum: Checksum) -> Iterator[HistoryEntry]:
    """Yield a commit and its ancestors, until one is missing."""
    for name, found in iter_history(repo, checksum):
        if found is None:
            return
        yield HistoryEntry(name, found)


def make_request(
    repo: Repo,
    tree: Layer | Sequence[Layer],
    branch: str | None,
    options: CommitOptions | None,
    *,
    modifier: CommitModifier | None,
    parent: str | Checksum | None,
) -> CommitRequest:
    """Return the request for a commit into `repo`."""
    from pyostree.api.publish import make_signers  # few commits need it

    fields = (options or CommitOptions())._asdict()
    signers = make_signers(*map(fields.pop, ("gpg_keys", "gpg_home", "sign_keys")))
    layers = [tree] if isinstance(tree, str | os.PathLike | MemoryTree | TreeSource) else tree
    return CommitRequest(
        branch=branch,
        trees=tuple(_as_source(layer) for layer in layers),
        modifier=modifier or CommitModifier(),
        orphan=branch is None,
        parent=None if parent is None else _parent(repo, parent),
        signers=signers,
        **fields,
    )


def _parent(repo: Repo, parent: str | Checksum) -> str:
    return parent if parent == "none" else str(repo.resolve(str(parent)))


def _as_source(layer: Layer) -> TreeSource | MemoryTree:
    if isinstance(layer, str | os.PathLike):
        return TreeSource("dir", os.fspath(layer))
    return layer


def as_metadata(values: Mapping[str, MetadataValue]) -> Metadata:
    """Return metadata in its stored form; text becomes ``s``, bool ``b``, bytes ``ay``."""
    return tuple((key, _as_variant(key, value)) for key, value in values.items())


def set_detached(repo: Repo, checksum: Checksum, values: Mapping[str, MetadataValue]) -> None:
    """Replace the detached metadata of a commit; none deletes it.

    Raises:
        ObjectNotFoundError: there is no such commit.
    """
    repo.load_commit(checksum)
    repo.write_detached_metadata(checksum, as_metadata(values) or None)


def _as_variant(key: str, value: MetadataValue) -> Variant:
    match value:
        case Variant():
            return value
        case bool():
            return Variant("b", value)
        case str():
            return Variant("s", value)
        case bytes():
            return Variant("ay", value)
    raise TypeError(f"metadata {key!r} is neither text, bool, bytes nor Variant")
