"""Signatures of summaries: made with the keys that a person names, and looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyostree.formats.commit import Metadata
from pyostree.repo.commit_metadata import Signer
from pyostree.sign.detached import add_signature, decode_signatures
from pyostree.sign.engine import find_engine
from pyostree.sign.gpg.detached import gpg_signatures, gpg_signer, verify_gpg
from pyostree.sign.gpg.keyrings import Keyrings, with_trusted
from pyostree.sign.gpg.result import GpgSignature
from pyostree.sign.gpg.signer import GpgKey
from pyostree.sign.gpg.verifier import GpgVerifier
from pyostree.sign.signers import key_signers


class SummarySigners(NamedTuple):
    """The same keys twice.

    Attributes:
        summary: these sign whatever is there already, as for the reference.
        commit: of these, OpenPGP keys refuse to sign a second time.
    """

    summary: tuple[Signer, ...]
    commit: tuple[Signer, ...]


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


def summary_signers(
    gpg_keys: Sequence[str],
    gpg_home: str | None = None,
    keys: Sequence[str] = (),
    engine_name: str | None = None,
) -> SummarySigners:
    """Return what signs with OpenPGP keys, and then with those of an engine.

    Args:
        gpg_home: where GnuPG keeps keys; None for its default.
        keys: secret keys in the text form of the engine.
        engine_name: None for the usual one; without `keys` it does not matter.

    Raises:
        UnsupportedError: there is no such engine.
    """
    if keys and engine_name is not None:
        find_engine(engine_name)
    others = key_signers(keys, engine_name)
    return SummarySigners(
        (*(_gpg_summary_signer(key, gpg_home) for key in gpg_keys), *others),
        (*(gpg_signer(key, gpg_home) for key in gpg_keys), *others),
    )


def _gpg_summary_signer(key_id: str, homedir: str | None) -> Signer:
    key = GpgKey(key_id, homedir)

    def sign(data: bytes, metadata: Metadata) -> Metadata:
        return add_signature(key, data, metadata)

    return sign
