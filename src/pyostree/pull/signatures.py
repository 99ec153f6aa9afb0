"""`CommitSignatures`: whether commits have the signatures that are demanded of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pyostree.closing import Closing
from pyostree.errors import ChecksumMismatchError, doing
from pyostree.formats.commit import Metadata
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.pull.progress import Verification
from pyostree.repo.repo import Repo

if TYPE_CHECKING:  # slow to import, and few remotes demand signatures
    from pyostree.remote.sign_keys import EngineDemand
    from pyostree.sign.gpg.verifier import GpgVerifier


class SignedCommit(NamedTuple):
    """A commit to be looked at.

    Attributes:
        data: the bytes of the commit object, which have that checksum.
        metadata: its detached metadata, None when there is none.
        is_stored: it lies in a repository; else it has just come, and is nowhere yet.
    """

    checksum: Checksum
    data: bytes
    metadata: Metadata | None
    is_stored: bool


class CommitDemand(Protocol):
    """A kind of signature that commits must have."""

    def check(self, commit: SignedCommit, results: list[Verification]) -> None:
        """Add to `results` what was found, and raise `VerificationError` unless that is enough."""

    def close(self) -> None:
        """Close the verifiers."""


class GpgDemand:
    """Demands a valid OpenPGP signature.

    Args:
        by_commit: verifiers that count for certain commits in place of `verifier`; all of them
            must be content with the commit.
    """

    def __init__(
        self,
        verifier: GpgVerifier,
        by_commit: Mapping[Checksum, Sequence[GpgVerifier]] = MappingProxyType({}),
    ) -> None:
        self._verifier = verifier
        self._by_commit = by_commit

    def check(self, commit: SignedCommit, results: list[Verification]) -> None:
        """Add the signatures to `results`; raise unless one is valid."""
        from pyostree.sign.gpg.detached import verify_gpg
        from pyostree.sign.gpg.result import require_valid

        with doing(f"Commit {commit.checksum}"):
            for verifier in self._by_commit.get(commit.checksum, (self._verifier,)):
                found = verify_gpg(verifier, commit.data, commit.metadata)
                results.append(Verification(commit.checksum, found))
                require_valid(found)

    def close(self) -> None:
        """Close the verifiers."""
        self._verifier.close()
        for verifiers in self._by_commit.values():
            for verifier in verifiers:
                verifier.close()


class OtherDemand:
    """Demands a good signature of another kind."""

    def __init__(self, engines: EngineDemand) -> None:
        self._engines = engines

    def check(self, commit: SignedCommit, results: list[Verification]) -> None:
        """Add to `results` which one is good; raise when none is."""
        checksum, data, metadata, is_stored = commit
        if is_stored:
            message = self._engines.check_stored(checksum, data, metadata)
        else:
            message = self._engines.check_fetched(data, metadata)
        results.append(Verification(checksum, message=message))

    def close(self) -> None:
        """Close the verifiers."""
        self._engines.close()


class CommitSignatures(Closing):
    """Decides whether the signatures of commits allow to pull them.

    A commit is checked once with each detached metadata that comes for it. A context
    manager, which closes the demands.

    Args:
        demands: each of them has to be met.

    Attributes:
        results: what was found for each commit, in order; also of the one that does not pass.
    """

    def __init__(self, demands: Sequence[CommitDemand]) -> None:
        self._demands = tuple(demands)
        self.results: list[Verification] = []
        self._checked: set[tuple[Checksum, bytes | None]] = set()

    def close(self) -> None:
        """Close the demands."""
        for demand in self._demands:
            demand.close()

    @property
    def are_demanded(self) -> bool:
        """Whether a commit needs a signature."""
        return bool(self._demands)

    def check(
        self, checksum: Checksum, data: bytes, detached: bytes | None, *, is_stored: bool = False
    ) -> None:
        """Let a commit pass, or not.

        Args:
            data: the bytes of the commit object.
            detached: its detached metadata, None when there is none; malformed, it signs nothing.
            is_stored: the commit lies in a repository, which is told by the error.

        Raises:
            VerificationError: a signature that is demanded is missing, or not valid.
            ChecksumMismatchError: `data` is not that commit.
        """
        if not self.are_demanded or _key(checksum, detached) in self._checked:
            return
        from pyostree.sign.detached import decode_signatures

        actual = Checksum(hashlib.sha256(data).digest())
        if actual != checksum:
            raise ChecksumMismatchError("commit", str(checksum), str(actual))
        metadata = None if detached is None else decode_signatures(detached)
        commit = SignedCommit(checksum, data, metadata, is_stored)
        for demand in self._demands:
            demand.check(commit, self.results)
        self._checked.add(_key(checksum, detached))

    def check_detached(self, repo: Repo, checksum: Checksum, detached: bytes) -> None:
        """Do the same for new detached metadata of a commit that is stored (errors as `check`)."""
        if self.are_demanded:
            self.check(checksum, _read_commit(repo, checksum), detached, is_stored=True)

    def copy_commit(self, source: Repo, target: Repo, checksum: Checksum) -> None:
        """Copy a commit with its detached metadata, after it was checked (errors as `check`).

        What is written are the very bytes that were checked: a link to the source's file would
        follow what becomes of that.
        """
        data, detached = _read_commit(source, checksum), source.store.read_detached(checksum)
        self.check(checksum, data, detached, is_stored=True)
        target.mark_partial(checksum)
        if detached is not None:
            target.store.write_detached(checksum, detached)
        target.store.write_metadata(ObjectType.COMMIT, data, expected=checksum)

    def check_stored(self, repo: Repo, checksum: Checksum) -> None:
        """Do the same for a commit that is in a repository (errors as `check`)."""
        if not self.are_demanded:
            return
        detached = repo.store.read_detached(checksum)
        if _key(checksum, detached) not in self._checked:
            self.check(checksum, _read_commit(repo, checksum), detached, is_stored=True)


def _key(checksum: Checksum, detached: bytes | None) -> tuple[Checksum, bytes | None]:
    """Return what is checked once: other detached metadata may have no good signature."""
    return checksum, None if detached is None else hashlib.sha256(detached).digest()


def _read_commit(repo: Repo, checksum: Checksum) -> bytes:
    return repo.store.read_metadata(ObjectName(checksum, ObjectType.COMMIT))
