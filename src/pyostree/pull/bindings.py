"""Bindings: a commit says for which refs and which collection it was made.

They keep a server from handing out, for one branch, the validly signed commit of another.
"""

from __future__ import annotations

from pyostree.errors import VerificationError
from pyostree.formats.commit import Commit

_REF_BINDING = "ostree.ref-binding"
_COLLECTION_BINDING = "ostree.collection-binding"


def check_bindings(commit: Commit, ref: str | None, collection_id: str | None) -> None:
    """Raise `VerificationError` unless a commit may be what was asked for.

    Args:
        ref: the ref it was asked for by; None for a commit asked for by checksum, or a parent.
        collection_id: collection of the repository it comes from; None to leave that unchecked.
    """
    refs = commit.lookup(_REF_BINDING)
    if refs is None or refs.type != "as":
        if collection_id is not None:
            raise VerificationError(
                "Expected commit metadata to have ref binding information, found none"
            )
        return
    names = refs.value
    assert isinstance(names, tuple)
    if ref is not None and ref not in names:
        shown = ", ".join(f"‘{name}’" for name in names) or "no refs"
        raise VerificationError(
            f"Commit has no requested ref ‘{ref}’ in ref binding metadata ({shown})"
        )
    if collection_id is not None:
        _check_collection(commit, collection_id)


def _check_collection(commit: Commit, collection_id: str) -> None:
    bound = commit.lookup_str(_COLLECTION_BINDING)
    if bound is None:
        raise VerificationError(
            "Expected commit metadata to have collection ID binding information, found none"
        )
    if bound != collection_id:
        raise VerificationError(
            f"Commit has collection ID ‘{bound}’ in collection binding metadata, "
            f"while the remote it came from has collection ID ‘{collection_id}’"
        )
