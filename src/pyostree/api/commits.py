"""What `Repo.commit` takes and `Repo.history` yields, in the terms of the layers below."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pyostree.formats.commit import Commit, Metadata
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum
from pyostree.repo.commit import CommitRequest, TreeSource, commit
from pyostree.repo.memory_tree import MemoryTree
from pyostree.repo.modes import RepoMode
from pyostree.repo.modifier import CommitModifier
from pyostree.repo.repo import Repo
from pyostree.repo.traverse import iter_history

__all__ = ["HistoryEntry", "Layer", "MetadataValue", "as_metadata", "commit", "iter_commits"]

Layer = str | os.PathLike[str] | MemoryTree | TreeSource
MetadataValue = str | bool | bytes | Variant


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


def make_request(  # noqa: PLR0913  # what has to be translated
    repo: Repo,
    tree: Layer | Sequence[Layer],
    branch: str | None,
    *,
    modifier: CommitModifier | None,
    metadata: Mapping[str, MetadataValue] | None,
    detached_metadata: Mapping[str, MetadataValue] | None,
    parent: str | Checksum | None,
) -> CommitRequest:
    """Return the request for a commit into `repo`."""
    layers = [tree] if isinstance(tree, str | os.PathLike | MemoryTree | TreeSource) else tree
    return CommitRequest(
        branch=branch,
        trees=tuple(_as_source(layer) for layer in layers),
        modifier=modifier or CommitModifier(canonical_by_mode=repo.mode is RepoMode.BARE_USER_ONLY),
        orphan=branch is None,
        parent=None if parent is None else _parent(repo, parent),
        metadata=as_metadata(metadata or {}),
        detached=as_metadata(detached_metadata or {}),
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
