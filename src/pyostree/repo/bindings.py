"""Bindings: the refs and the collection that a commit says it belongs to.

A commit that is served under another name than those it was made for may be an attack: an old or
foreign system sold as an update.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyostree.errors import VerificationError
from pyostree.formats.commit import Commit, Metadata
from pyostree.formats.gvariant import Variant, lookup

REF_BINDING = "ostree.ref-binding"
COLLECTION_BINDING = "ostree.collection-binding"
_REFS_TYPE = "as"


def make_bindings(
    refs: Iterable[str], collection_id: str | None, metadata: Metadata = ()
) -> Metadata:
    """Return what a commit must say to belong to `refs` of a collection.

    Args:
        collection_id: of the repository; None if it has none.
        metadata: what the commit says already; a collection named there stays the only one.
    """
    names = sorted(refs, key=lambda ref: ref.encode("utf-8", "surrogateescape"))
    bindings: Metadata = ((REF_BINDING, Variant(_REFS_TYPE, tuple(names))),)
    if collection_id is not None and lookup(metadata, COLLECTION_BINDING) is None:
        bindings += ((COLLECTION_BINDING, Variant("s", collection_id)),)
    return bindings


def bound_refs(commit: Commit) -> tuple[str, ...] | None:
    """Return the refs that a commit belongs to; None when it does not say."""
    found = commit.lookup(REF_BINDING)
    return tuple(found.value) if found is not None and found.type == _REFS_TYPE else None


def check_bindings(commit: Commit, ref: str | None, collection_id: str | None) -> None:
    """Raise `VerificationError` unless a commit may stand under a name.

    Args:
        ref: the name; None when only a checksum led to the commit.
        collection_id: of the repository that the commit came from, None if it has none.
    """
    refs = bound_refs(commit)
    if refs is None:
        if collection_id is not None:
            raise VerificationError(
                "Expected commit metadata to have ref binding information, found none"
            )
        return
    if ref is not None and ref not in refs:
        listed = ", ".join(f"‘{name}’" for name in refs) or "no refs"
        raise VerificationError(
            f"Commit has no requested ref ‘{ref}’ in ref binding metadata ({listed})"
        )
    if collection_id is None:
        return
    bound = commit.lookup_str(COLLECTION_BINDING)
    if bound is None:
        raise VerificationError(
            "Expected commit metadata to have collection ID binding information, found none"
        )
    if bound != collection_id:
        raise VerificationError(
            f"Commit has collection ID ‘{bound}’ in collection binding metadata, while the "
            f"remote it came from has collection ID ‘{collection_id}’"
        )
