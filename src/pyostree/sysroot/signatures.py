"""Signatures of what is deployed, checked with the keys of the remote that it came from."""

from __future__ import annotations

from contextlib import suppress

from pyostree.errors import FormatError, NotFoundError, OstreeError, VerificationError
from pyostree.formats.refspec import parse_refspec
from pyostree.remote.endpoints import read_demands
from pyostree.remote.keyrings import open_remote_verifier
from pyostree.remote.remotes import Remotes
from pyostree.remote.verify import CommitVerification, verify_commit_data
from pyostree.sign.commits import read_commit
from pyostree.sign.detached import decode_signatures
from pyostree.sign.gpg.detached import verify_gpg
from pyostree.sign.gpg.result import GpgSignature
from pyostree.sysroot.deployment import Deployment
from pyostree.sysroot.sysroot import Sysroot


def read_signatures(sysroot: Sysroot, deployment: Deployment) -> tuple[GpgSignature, ...]:
    """Return the OpenPGP signatures, good or bad, of a deployed commit.

    None are looked at where its remote demands none; nor are they where the remote, the commit or
    the keys are gone: what is deployed can be told nevertheless.

    Raises:
        VerificationError: the remote demands a signature and there is none at all.
        OstreeError, OSError: they cannot be looked at.
    """
    remote = _remote_of(deployment)
    if remote is None:
        return ()
    remotes = Remotes.load(sysroot.repo)
    with suppress(NotFoundError, FileNotFoundError):
        if _demands_gpg(remotes, remote):
            data = read_commit(sysroot.repo, deployment.checksum)
            detached = sysroot.repo.store.read_detached(deployment.checksum)
            metadata = None if detached is None else decode_signatures(detached)
            with open_remote_verifier(remotes, remote) as verifier:
                return verify_gpg(verifier, data, metadata)
    return ()


def _demands_gpg(remotes: Remotes, name: str) -> bool:
    try:
        return read_demands(remotes, name).gpg_commits
    except FormatError:  # not decided here: pulls and --verify refuse such a configuration
        return False


def verify_deployment(sysroot: Sysroot, deployment: Deployment) -> CommitVerification:
    """Return what is to be said of a deployed commit that has all signatures that are demanded.

    Raises:
        VerificationError: it has not, or none can be demanded.
        RemoteNotFoundError: the remote that the commit came from is not configured.
        ChecksumMismatchError: the repository has something else in place of the commit.
        OstreeError, OSError: the keys cannot be had.
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
    data = read_commit(sysroot.repo, deployment.checksum)
    detached = sysroot.repo.store.read_detached(deployment.checksum)
    return verify_commit_data(Remotes.load(sysroot.repo), remote, data, detached)


def _remote_of(deployment: Deployment) -> str | None:
    return None if deployment.refspec is None else parse_refspec(deployment.refspec).remote
