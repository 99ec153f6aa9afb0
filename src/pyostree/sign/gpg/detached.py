"""OpenPGP signatures in the dictionary that carries signatures."""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.errors import ConflictError, VerificationError
from pyostree.formats.commit import Metadata
from pyostree.repo.commit_metadata import Signer
from pyostree.sign.detached import add_signature, replace_signatures, signatures_under
from pyostree.sign.gpg.keyrings import Keyrings, with_trusted
from pyostree.sign.gpg.result import METADATA_KEY, NO_SIGNATURES, GpgSignature
from pyostree.sign.gpg.signer import GpgKey
from pyostree.sign.gpg.verifier import GpgVerifier


def gpg_signatures(metadata: Metadata) -> tuple[bytes, ...] | None:
    """Return the OpenPGP signatures; None when there is no list of them."""
    return signatures_under(metadata, METADATA_KEY)


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
    check_is_first(key, data, metadata)
    return add_signature(key, data, metadata)


def gpg_signer(key_id: str, homedir: str | None = None) -> Signer:
    """Return what signs a commit or summary with an OpenPGP key (see `GpgKey`)."""
    key = GpgKey(key_id, homedir)
    return lambda data, metadata: add_gpg_signature(key, data, metadata)


def check_is_first(key: GpgKey, data: bytes, metadata: Metadata) -> None:
    """Raise `ConflictError` when one of the OpenPGP signatures of `data` is by a key."""
    signatures = gpg_signatures(metadata)
    if signatures is None:
        return
    with GpgVerifier(with_trusted(Keyrings(), key.homedir)) as verifier:
        found = verifier.verify(data, signatures)
        primary = verifier.find_primary(key.key_id)
        for signature in found:
            if primary is not None and signature.status.primary == primary:
                raise ConflictError(f"Commit is already signed with GPG key {key.key_id}")


def remove_gpg_signatures(
    verifier: GpgVerifier, data: bytes, metadata: Metadata, key_ids: Sequence[str]
) -> tuple[Metadata, int]:
    """Return the dictionary without the first signature of each key, and how many that were."""
    before = gpg_signatures(metadata)
    if before is None:
        return metadata, 0
    found = _verify_each(verifier, data, before)
    primaries = [signature.status.primary for signature in found]
    removed = {
        primaries.index(primary)
        for key_id in key_ids
        if (primary := verifier.find_primary(key_id)) in primaries
    }
    kept = [one for at, one in enumerate(before) if at not in removed]
    return replace_signatures(metadata, kept, METADATA_KEY), len(removed)


def _verify_each(
    verifier: GpgVerifier, data: bytes, signatures: Sequence[bytes]
) -> tuple[GpgSignature, ...]:
    """Return one result for each entry of a list, also where gpg stops at a bad one."""
    found = verifier.verify(data, signatures)
    if len(found) < len(signatures):
        found = tuple(one for entry in signatures for one in verifier.verify(data, [entry]))
    if len(found) != len(signatures):
        raise VerificationError("An entry of the list of signatures is not one signature")
    return found
