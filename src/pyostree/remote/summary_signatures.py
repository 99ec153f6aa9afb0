"""`SummaryDemand`: the signatures that a remote demands of its summary."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.closing import Closing
from pyostree.errors import VerificationError
from pyostree.remote.keyrings import verify_by_remote
from pyostree.remote.remotes import Remotes
from pyostree.remote.sign_keys import FOR_SUMMARY, EngineDemand
from pyostree.sign.detached import decode_signatures
from pyostree.sign.gpg.result import GpgSignature

FOR_SUMMARY_BY_GPG = "gpg-verify-summary"


class Wording(NamedTuple):
    """How it is told that a file is missing; ``{option}`` stands for the key that demands it."""

    engines: str
    no_summary: str
    no_signature: str


_TO_DISABLE = "(use {option}=false in remote config to disable)"
IN_PULL = Wording(
    engines="Signatures",
    no_summary=f"no summary found {_TO_DISABLE}",
    no_signature=f"no summary.sig found {_TO_DISABLE}",
)
IN_LOOK = Wording(
    engines="Signature",
    no_summary="no summary found (check that the configured URL in remote config is correct)",
    no_signature=f"no summary signatures found {_TO_DISABLE}",
)


class SummaryDemand(Closing):
    """What lets a summary pass, or not; a context manager.

    Args:
        gpg_owner: the remote whose OpenPGP keys count; None when no such signature is demanded.
        engines: None when no other signature is demanded.
    """

    def __init__(
        self, remotes: Remotes, gpg_owner: str | None, engines: EngineDemand | None
    ) -> None:
        self._remotes = remotes
        self._gpg_owner = gpg_owner
        self._engines = engines

    def close(self) -> None:
        """Close the verifiers."""
        if self._engines is not None:
            self._engines.close()

    def check(
        self, summary: bytes | None, signature: bytes | None, wording: Wording
    ) -> tuple[GpgSignature, ...]:
        """Return the OpenPGP signatures of a summary that passes; none where none are demanded.

        Args:
            summary: None for a missing one.
            signature: the file ``summary.sig``, None for a missing one.

        Raises:
            VerificationError: a file that is demanded is missing, or no signature is good.
        """
        found: tuple[GpgSignature, ...] = ()
        if self._gpg_owner is not None:
            say = ("GPG", FOR_SUMMARY_BY_GPG, wording)
            data, signed = _require(summary, signature, *say)
            metadata = decode_signatures(signed)
            found = verify_by_remote(self._remotes, self._gpg_owner, data, metadata)
        if self._engines is not None:
            say = (wording.engines, FOR_SUMMARY, wording)
            data, signed = _require(summary, signature, *say)
            self._engines.check_signed(data, decode_signatures(signed))
        return found


def _require(
    summary: bytes | None, signature: bytes | None, kind: str, option: str, wording: Wording
) -> tuple[bytes, bytes]:
    if summary is not None and signature is not None:
        return summary, signature
    # Where both are missing, a pull misses what engines verify first, as in the reference.
    is_about_signature = summary is not None or (signature is None and kind == IN_PULL.engines)
    missing = wording.no_signature if is_about_signature else wording.no_summary
    missing = missing.format(option=option)
    raise VerificationError(f"{kind} verification enabled, but {missing}")
