"""Bindings: the refs and the collection that a commit says it belongs to.

A commit that is served under another name than those it was made for may be an attack: an old or
foreign system sold as an update.
"""

from __future__ import annotations

from pyostree.errors import VerificationError
from pyostree.formats.commit import Commit

REF_BINDING = "ostree.ref-binding"
COLLECTION_BINDING = "ostree.collection-binding"
_REFS_TYPE = "as"


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
