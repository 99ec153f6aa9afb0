"""Signatures of summaries, as they are looked at."""

from __future__ import annotations

from pyostree.sign.detached import decode_signatures
from pyostree.sign.gpg.detached import gpg_signatures, verify_gpg
from pyostree.sign.gpg.keyrings import Keyrings, with_trusted
from pyostree.sign.gpg.result import GpgSignature
from pyostree.sign.gpg.verifier import GpgVerifier


def verify_summary(
    data: bytes, signature: bytes, homedir: str | None = None
) -> tuple[GpgSignature, ...] | None:
    """Return what the OpenPGP signatures of a summary are worth; None when it has no list of them.

    Args:
        signature: the file ``summary.sig``.
        homedir: a GnuPG home whose keyrings count beside those of this machine.

    Raises:
        VerificationError: they are no signatures at all.
    """
    metadata = decode_signatures(signature)
    if gpg_signatures(metadata) is None:
        return None
    with GpgVerifier(with_trusted(Keyrings(), homedir)) as verifier:
        return verify_gpg(verifier, data, metadata)
