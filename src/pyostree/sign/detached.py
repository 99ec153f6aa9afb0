"""The dictionary that carries signatures: detached metadata of a commit, or ``summary.sig``."""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.errors import FormatError
from pyostree.formats.commit import Metadata, decode_metadata
from pyostree.formats.gvariant import Variant, lookup
from pyostree.formats.variant_dict import variant_dict_order
from pyostree.sign.engine import SecretKey, Verifier

_TYPE = "aay"


def decode_signatures(data: bytes) -> Metadata:
    """Return the dictionary; what cannot be decoded signs nothing, like an empty one."""
    try:
        return decode_metadata(data)
    except FormatError:
        return ()


def signatures_under(metadata: Metadata, key: str) -> tuple[bytes, ...] | None:
    """Return the signatures under `key` of a dictionary; None when there is no list of them."""
    found = lookup(metadata, key)
    if found is None or found.type != _TYPE:
        return None
    return tuple(bytes(one) for one in found.value)


def replace_signatures(metadata: Metadata, signatures: Sequence[bytes], key: str) -> Metadata:
    """Return the dictionary with these signatures under `key`; without any, the key goes.

    Entries are in the order in which the reference writes them.
    """
    pairs = dict(metadata) | {key: Variant(_TYPE, tuple(signatures))}
    order = variant_dict_order(pairs)
    return tuple((name, pairs[name]) for name in order if signatures or name != key)


def add_signature(key: SecretKey, data: bytes, metadata: Metadata) -> Metadata:
    """Return the dictionary with one more signature of `data` (errors as `SecretKey.sign`)."""
    return with_signature(metadata, key.metadata_key, key.sign(data))


def with_signature(metadata: Metadata, key: str, signature: bytes) -> Metadata:
    """Return the dictionary with one more signature under `key`."""
    before = signatures_under(metadata, key) or ()
    return replace_signatures(metadata, (*before, signature), key)


def check_signed(verifier: Verifier, data: bytes, metadata: Metadata | None) -> str:
    """Return what is to be said of `data` whose signatures are in a dictionary.

    Args:
        metadata: detached metadata or ``summary.sig``; None when there are none.

    Raises:
        VerificationError: no signature is good and by a key that `verifier` trusts.
    """
    return verifier.check(data, signatures_under(metadata or (), verifier.metadata_key))
