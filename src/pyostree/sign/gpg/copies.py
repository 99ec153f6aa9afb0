"""Keys of which there are several copies: what one of them says counts for all.

GnuPG takes the first copy of a key that it finds. A revocation, or an end that was brought forward,
may be in a later one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyostree.sign.gpg.keys import Key
from pyostree.sign.gpg.status import SignatureStatus


def require_copies(
    status: SignatureStatus, keys: Sequence[Key], merge: Callable[[], Sequence[Key]]
) -> SignatureStatus:
    """Return the status of a signature; a valid one stays so if all copies of its key let it.

    The first copy is good already, by what GnuPG says. So must be what the copies make together:
    one that expired does no harm beside the same key with a later end.

    Args:
        keys: all copies of all keys.
        merge: returns the keys, each one made of its copies; called only when some differ.
    """
    if not status.is_valid:
        return status
    names = {status.fingerprint, status.primary}
    letters = _letters(keys, names)
    if "r" in letters:
        return status._replace(is_valid=False, is_key_revoked=True)
    if len({key for key in keys if key.primary.fingerprint in names}) > 1:
        merged = merge()
        letters = _letters(merged, names)
        if "r" in letters:
            return status._replace(is_valid=False, is_key_revoked=True)
        if "e" in letters:
            return status._replace(is_valid=False, is_key_expired=True)
        found = {one.fingerprint for key in merged for one in key.subkeys}
        return status._replace(is_valid="i" not in letters and names <= found)
    return status


def _letters(keys: Sequence[Key], fingerprints: set[str]) -> set[str]:
    """Return all that is said of the validity of some primary keys and subkeys."""
    return {one.validity for key in keys for one in key.subkeys if one.fingerprint in fingerprints}
