"""OpenPGP signatures in the dictionary that carries signatures."""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.errors import ConflictError, VerificationError
from pyostree.formats.commit import Metadata
from pyostree.repo.commit_metadata import Signer
from pyostree.sign.detached import replace_signatures, signatures_under
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
    before = gpg_signatures(metadata)
    if before is not None:
        _check_is_first(key, data, before)
    return replace_signatures(metadata, (*(before or ()), key.sign(data)), METADATA_KEY)


def gpg_signer(key_id: str, homedir: str | None = None) -> Signer:
    """Return what signs a commit or summary with an OpenPGP key (see `GpgKey`)."""
    key = GpgKey(key_id, homedir)
    return lambda data, metadata: add_gpg_signature(key, data, metadata)


def _check_is_first(key: GpgKey, data: bytes, signatures: Sequence[bytes]) -> None:
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
    return replace_signatures(metadata, [one for one, _ in kept], METADATA_KEY), removed
