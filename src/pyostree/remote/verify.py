"""Whether a commit, wherever it lies, has the signatures that a remote's configuration demands."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

from pyostree.errors import FormatError, VerificationError
from pyostree.formats.commit import Metadata
from pyostree.formats.objects import MAX_METADATA_BYTES
from pyostree.remote.endpoints import read_demands
from pyostree.remote.keyrings import verify_by_remote
from pyostree.remote.remotes import Remotes
from pyostree.remote.sign_keys import FOR_COMMITS, read_engine_demand
from pyostree.sign.detached import decode_signatures
from pyostree.sign.engine import Success
from pyostree.sign.gpg.result import GpgSignature


class CommitVerification(NamedTuple):
    """What is to be said of a commit that has all signatures that are demanded.

    Attributes:
        gpg: its OpenPGP signatures, one of them valid; empty when none are demanded.
        engines: the success of another engine; None when none is demanded.
    """

    gpg: tuple[GpgSignature, ...]
    engines: Success | None


def verify_commit_data(
    remotes: Remotes,
    name: str,
    commit: bytes,
    detached: bytes | None,
    *,
    skip_gpg: bool = False,
    skip_engines: bool = False,
) -> CommitVerification:
    """Return what the signatures of a commit are worth to a remote.

    Args:
        name: of the remote.
        commit: the bytes of the commit object.
        detached: its detached metadata, None when there is none.
        skip_gpg: do not look at OpenPGP signatures.
        skip_engines: do not look at others.

    Raises:
        VerificationError: signatures are missing or no good, or none are demanded at all.
        RemoteNotFoundError, ConfigError: the remote is not, or wrongly, configured.
        FormatError: something is too large or malformed.
    """
    if skip_gpg and skip_engines:
        raise VerificationError("No commit verification types enabled via API")
    wants_gpg = not skip_gpg and read_demands(remotes, name).gpg_commits
    demand = None if skip_engines else read_engine_demand(remotes, name, FOR_COMMITS)
    if not wants_gpg and demand is None:
        raise VerificationError(
            f"Cannot verify commit for remote {name}; GPG verification disabled, "
            "and no signapi verifiers configured"
        )
    with demand or nullcontext():
        metadata = _decode(commit, detached)
        gpg = verify_by_remote(remotes, name, commit, metadata) if wants_gpg else ()
        engines = None if demand is None else demand.check_fetched(commit, metadata)
    return CommitVerification(gpg, engines)


def _decode(commit: bytes, detached: bytes | None) -> Metadata:
    _check_size("Commit", commit)
    if detached is None:
        raise VerificationError("Can't verify commit without detached metadata")
    _check_size("Commit metadata", detached)
    return decode_signatures(detached)


def _check_size(what: str, data: bytes) -> None:
    if len(data) > MAX_METADATA_BYTES:
        raise FormatError(f"{what} is {len(data)} bytes, exceeding maximum {MAX_METADATA_BYTES}")
