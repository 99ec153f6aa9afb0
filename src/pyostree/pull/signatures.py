"""What a remote demands to be signed, as long as no signature can be checked: it is refused."""

from __future__ import annotations

from pyostree.errors import VerificationError
from pyostree.pull.options import PullOptions
from pyostree.remote.endpoints import Demands, read_demands, unverifiable
from pyostree.remote.remotes import Remotes


def demands_of(remotes: Remotes, name: str, options: PullOptions) -> Demands:
    """Return which signatures a pull must check: the caller's wish, else the configuration's."""
    demands = read_demands(remotes, name)
    if options.gpg_verify is not None:
        demands = demands._replace(gpg_commits=options.gpg_verify)
    if options.gpg_verify_summary is not None:
        demands = demands._replace(gpg_summary=options.gpg_verify_summary)
    return demands


def check_summary_demands(
    demands: Demands, name: str, *, has_summary: bool, has_signature: bool
) -> None:
    """Raise `VerificationError` when the summary must be signed.

    The first messages are those of the reference for files that are missing.
    """
    if demands.gpg_summary:
        option = "gpg-verify-summary"
        missing = None if has_signature else "summary.sig"
        missing = missing if has_summary else "summary"
        if missing is not None:
            raise VerificationError(
                f"GPG verification enabled, but no {missing} found "
                f"(use {option}=false in remote config to disable)"
            )
        raise unverifiable(name, option)
    if demands.engine_summary:
        option = "sign-verify-summary"
        if not has_signature:
            raise VerificationError(
                "Signatures verification enabled, but no summary.sig found "
                f"(use {option}=false in remote config to disable)"
            )
        raise unverifiable(name, option)


def check_commit_demands(demands: Demands, name: str) -> None:
    """Raise `VerificationError` when commits must be signed."""
    if demands.gpg_commits:
        raise unverifiable(name, "gpg-verify")
    if demands.engine_commits:
        raise unverifiable(name, "sign-verify")
