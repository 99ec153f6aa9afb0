"""The dictionary that carries signatures: detached metadata of a commit, or ``summary.sig``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyostree.errors import FormatError
from pyostree.formats.aligned_array import split_dictionary
from pyostree.formats.commit import Metadata
from pyostree.formats.gvariant import Variant, decode, lookup
from pyostree.formats.variant_dict import variant_dict_order
from pyostree.sign.engine import ENGINE_NAMES, SecretKey, Success, Verifier

_TYPE = "aay"
SIGNATURE_KEYS = ("ostree.gpgsigs", *(f"ostree.sign.{name}" for name in ENGINE_NAMES))
_ENDING = b"\0" + _TYPE.encode()  # of a variant that is a list of signatures
_MAX_PAIRS = 65_536
_MAX_LIST_BYTES = 4 << 20


def decode_signatures(data: bytes) -> Metadata:
    """Return the lists of signatures in a dictionary; what cannot be decoded signs nothing.

    Nothing else in it becomes an object, so that a hostile one costs no more memory than its bytes.
    """
    try:
        return tuple(_iter_lists(data))
    except FormatError:
        return ()


def _iter_lists(data: bytes) -> Iterator[tuple[str, Variant]]:
    wanted = set(SIGNATURE_KEYS)
    for key, value in split_dictionary(memoryview(data), max_pairs=_MAX_PAIRS):
        if key not in wanted:
            continue
        wanted.remove(key)  # of a key that comes twice the first counts, of whatever type it is
        if value[-len(_ENDING) :] == _ENDING and len(value) <= _MAX_LIST_BYTES:
            yield key, decode("v", bytes(value))


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


def check_signed(verifier: Verifier, data: bytes, metadata: Metadata | None) -> Success:
    """Return what is to be said of `data` whose signatures are in a dictionary.

    Args:
        metadata: detached metadata or ``summary.sig``; None when there are none.

    Raises:
        VerificationError: no signature is good and by a key that `verifier` trusts.
    """
    return verifier.check(data, signatures_under(metadata or (), verifier.metadata_key))
