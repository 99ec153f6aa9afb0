"""Signatures of what is deployed, checked with the keys of the remote that it came from."""

from __future__ import annotations

from pyostree.errors import OstreeError, RemoteNotFoundError, VerificationError
from pyostree.formats.refspec import parse_refspec
from pyostree.remote.endpoints import read_demands, unverifiable
from pyostree.remote.keyrings import open_remote_verifier
from pyostree.remote.remotes import Remotes
from pyostree.sign.commits import verify_commit
from pyostree.sign.gpg.result import GpgSignature, require_valid
from pyostree.sysroot.deployment import Deployment
from pyostree.sysroot.sysroot import Sysroot


def read_signatures(sysroot: Sysroot, deployment: Deployment) -> tuple[GpgSignature, ...]:
    """Return the OpenPGP signatures, good or bad, of a deployed commit.

    None are looked at where its remote demands none, or is not configured any more.

    Raises:
        VerificationError: the remote demands a signature and there is none at all.
    """
    remote = _remote_of(deployment)
    if remote is None:
        return ()
    remotes = Remotes.load(sysroot.repo)
    try:
        if not read_demands(remotes, remote).gpg_commits:
            return ()
    except RemoteNotFoundError:
        return ()
    return _verify(sysroot, deployment, remotes, remote)


def verify_deployment(sysroot: Sysroot, deployment: Deployment) -> tuple[GpgSignature, ...]:
    """Return the OpenPGP signatures of a deployed commit; at least one of them is valid.

    Raises:
        VerificationError: none is, or none can be demanded.
        RemoteNotFoundError: the remote that the commit came from is not configured.
    """
    try:
        sysroot.repo.load_commit(deployment.checksum)
    except OstreeError:
        raise VerificationError("Cannot verify, failed to load commit") from None
    if deployment.refspec is None:
        raise VerificationError("No origin/refspec, cannot verify")
    remote = _remote_of(deployment)
    if remote is None:
        raise VerificationError("Cannot verify deployment without remote")
    remotes = Remotes.load(sysroot.repo)
    demands = read_demands(remotes, remote)
    if demands.engine_commits:
        raise unverifiable(remote, "sign-verify")
    if not demands.gpg_commits:
        raise VerificationError(
            f"Cannot verify commit for remote {remote}; GPG verification disabled, "
            "and no signapi verifiers configured"
        )
    if sysroot.repo.read_detached_metadata(deployment.checksum) is None:
        raise VerificationError("Can't verify commit without detached metadata")
    found = _verify(sysroot, deployment, remotes, remote)
    require_valid(found)
    return found


def _remote_of(deployment: Deployment) -> str | None:
    return None if deployment.refspec is None else parse_refspec(deployment.refspec).remote


def _verify(
    sysroot: Sysroot, deployment: Deployment, remotes: Remotes, remote: str
) -> tuple[GpgSignature, ...]:
    with open_remote_verifier(remotes, remote) as verifier:
        return verify_commit(sysroot.repo, deployment.checksum, verifier)
