"""The dictionary that carries signatures: detached metadata of a commit, or ``summary.sig``."""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.errors import ConflictError, FormatError, VerificationError
from pyostree.formats.commit import Metadata, decode_metadata
from pyostree.formats.gvariant import Variant, lookup
from pyostree.repo.commit_metadata import Signer
from pyostree.sign.engine import SecretKey, Verifier
from pyostree.sign.gpg.keyrings import Keyrings, with_trusted
from pyostree.sign.gpg.result import METADATA_KEY, NO_SIGNATURES, GpgSignature
from pyostree.sign.gpg.signer import GpgKey
from pyostree.sign.gpg.verifier import GpgVerifier

GPG_KEY = METADATA_KEY
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


def gpg_signatures(metadata: Metadata) -> tuple[bytes, ...] | None:
    """Return the OpenPGP signatures; None when there is no list of them."""
    return signatures_under(metadata, GPG_KEY)


def replace_signatures(
    metadata: Metadata, signatures: Sequence[bytes], key: str = GPG_KEY
) -> Metadata:
    """Return the dictionary with these signatures under `key`; without any, the key goes."""
    value = Variant(_TYPE, tuple(signatures))
    pairs = dict(metadata)
    if signatures:
        pairs[key] = value
    else:
        pairs.pop(key, None)
    return tuple(pairs.items())


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


def verify_gpg(
    verifier: GpgVerifier, data: bytes, metadata: Metadata | None
) -> tuple[GpgSignature, ...]:
    """Return what the OpenPGP signatures of `data` are worth.

    Raises:
        VerificationError: there are none.
    """
    signatures = None if metadata is None else gpg_signatures(metadata)
    if signatures is None:
        raise VerificationError(NO_SIGNATURES)
    return verifier.verify(data, signatures)


def add_gpg_signature(key: GpgKey, data: bytes, metadata: Metadata) -> Metadata:
    """Return the dictionary with one more signature of `data`.

    Raises:
        ConflictError: the key has signed it already.
        NotFoundError: there is no such secret key.
    """
    before = gpg_signatures(metadata)
    if before is not None:
        _check_is_first(key, data, before)
    return replace_signatures(metadata, (*(before or ()), key.sign(data)))


def gpg_signer(key_id: str, homedir: str | None = None) -> Signer:
    """Return what signs a commit or summary with an OpenPGP key (see `GpgKey`)."""
    key = GpgKey(key_id, homedir)
    return lambda data, metadata: add_gpg_signature(key, data, metadata)


def _check_is_first(key: GpgKey, data: bytes, signatures: Sequence[bytes]) -> None:
    fingerprint = key.find()
    with GpgVerifier(with_trusted(Keyrings(), key.homedir)) as verifier:
        for signature in verifier.verify(data, signatures):
            if signature.status.primary == fingerprint:
                raise ConflictError(f"Commit is already signed with GPG key {key.key_id}")


def remove_gpg_signatures(
    verifier: GpgVerifier, data: bytes, metadata: Metadata, key_ids: Sequence[str]
) -> tuple[Metadata, int]:
    """Return the dictionary without the first signature of each key, and how many that were."""
    before = gpg_signatures(metadata)
    if before is None:
        return metadata, 0
    found = verifier.verify(data, before)
    if len(found) != len(before):
        raise VerificationError("An entry of the list of signatures holds more than one")
    kept = list(zip(before, found, strict=True))
    for key_id in key_ids:
        primary = verifier.find_primary(key_id)
        for position, (_, signature) in enumerate(kept):
            if primary is not None and signature.status.primary == primary:
                del kept[position]
                break
    removed = len(before) - len(kept)
    return replace_signatures(metadata, [one for one, _ in kept]), removed
