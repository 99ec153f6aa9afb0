"""`CommitRequest`: what to commit, and how to describe it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.commit import Metadata
from pyostree.formats.commit_message import CommitMessage
from pyostree.repo.commit_metadata import MetadataArguments, Signer
from pyostree.repo.memory_tree import MemoryTree
from pyostree.repo.modifier import CommitModifier

if TYPE_CHECKING:
    from pyostree.repo.devino import DevinoCache

_SOURCE_KINDS = ("dir", "ref", "tar")


class TreeSource(NamedTuple):
    """One layer of a commit's tree: `kind` is ``dir``, ``ref`` or ``tar``, `value` what to read."""

    kind: str
    value: str


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


def _now() -> int:
    return int(time.time())


class CommitRequest(NamedTuple):
    """What to commit, and how to describe it.

    Attributes:
        branch: ref to set, and source of the parent; None for an orphan.
        trees: layers, the later ones over the earlier ones; text is parsed when its turn comes.
        parent: ``none``, 64 hex digits, or None for the branch's current commit.
        base: revision whose tree lies below all layers, not touched by `modifier`.
        compose: gives subject and body in place of those here; called once everything that can
            be wrong with the request itself was checked, and before anything is read or written.
        metadata: pairs in the order in which they are stored.
        detached: pairs of the detached metadata.
        arguments: more metadata as text, parsed when its turn comes.
        keep_metadata: keys to copy from the parent.
        bindings: whether the commit names the refs it belongs to.
        bootable: mark the commit as bootable, with the version of its one kernel.
        composefs: add the digest of the tree's composefs image.
        timestamp: seconds since 1970 UTC; None for what `clock` says when the tree is written.
        skip_if_unchanged: commit nothing when the tree equals the parent's.
        link_speedup: take hard links to objects for what they are.
        devino: inodes that a checkout has noted; believed where they still are these objects.
        devino_canonical: trust such links even where the modifier would change something.
        consume: delete what was read from directories.
        generate_sizes: list the sizes of objects in the commit; only archive repositories do.
        tar_autocreate_parents: make the directories that members of archives need, and a root.
        tar_pathname_filter: ``REGEX,REPLACEMENT`` for the names of such members.
        signers: sign the new commit, one after the other.
    """

    branch: str | None
    trees: tuple[TreeSource | MemoryTree | str, ...]
    modifier: CommitModifier
    orphan: bool = False
    parent: str | None = None
    base: str | None = None
    subject: str = ""
    body: str = ""
    compose: Callable[[], CommitMessage] | None = None
    metadata: Metadata = ()
    detached: Metadata = ()
    arguments: MetadataArguments = MetadataArguments()
    keep_metadata: tuple[str, ...] = ()
    bindings: bool = True
    bind_refs: tuple[str, ...] = ()
    bootable: bool = False
    composefs: bool = False
    timestamp: int | None = None
    clock: Callable[[], int] = _now
    skip_if_unchanged: bool = False
    link_speedup: bool = False
    devino: DevinoCache | None = None
    devino_canonical: bool = False
    consume: bool = False
    generate_sizes: bool = False
    tar_autocreate_parents: bool = False
    tar_pathname_filter: str | None = None
    signers: tuple[Signer, ...] = ()

    @property
    def reads_every_object(self) -> bool:
        """Whether trees of the repository, too, are read object by object, not by reference."""
        return (
            self.modifier.is_active or self.consume or self.devino_canonical or self.generate_sizes
        )
