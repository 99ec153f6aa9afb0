"""What a remote demands to be signed, and whether a commit has it; nothing passes unchecked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from pyostree.closing import Closing
from pyostree.errors import ChecksumMismatchError, VerificationError, doing
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.pull.options import PullOptions
from pyostree.pull.progress import Verification
from pyostree.remote.endpoints import Demands, read_demands, unverifiable
from pyostree.remote.remotes import Remotes
from pyostree.repo.repo import Repo

if TYPE_CHECKING:  # slow to import, and few remotes demand signatures
    from pyostree.sign.gpg.verifier import GpgVerifier


def demands_of(remotes: Remotes, name: str, options: PullOptions) -> Demands:
    """Return which signatures a pull must check: the caller's wish, else the configuration's."""
    demands = read_demands(remotes, name)
    if options.gpg_verify is not None:
        demands = demands._replace(gpg_commits=options.gpg_verify)
    if options.gpg_verify_summary is not None:
        demands = demands._replace(gpg_summary=options.gpg_verify_summary)
    return demands


def check_summary(
    demands: Demands, remotes: Remotes, name: str, summary: bytes | None, signature: bytes | None
) -> None:
    """Raise `VerificationError` unless the summary has the signatures that are demanded."""
    if demands.gpg_summary:
        missing = None if signature is not None else "summary.sig"
        missing = missing if summary is not None else "summary"
        if missing is not None:
            raise VerificationError(
                f"GPG verification enabled, but no {missing} found "
                "(use gpg-verify-summary=false in remote config to disable)"
            )
        assert summary is not None
        assert signature is not None
        from pyostree.remote.keyrings import verify_gpg_summary

        verify_gpg_summary(remotes, name, summary, signature)
    if demands.engine_summary:
        option = "sign-verify-summary"
        if signature is None:
            raise VerificationError(
                "Signatures verification enabled, but no summary.sig found "
                f"(use {option}=false in remote config to disable)"
            )
        raise unverifiable(name, option)


class CommitSignatures(Closing):
    """Decides whether the signatures of commits allow to pull them.

    A commit is checked once with each detached metadata that comes for it. A context
    manager, which closes the verifiers.

    Args:
        verifier: None when no signatures are demanded.
        by_commit: verifiers that count for certain commits in place of `verifier`; all of them
            must be content with the commit.

    Attributes:
        results: what was found for each commit, in order; also of the one that does not pass.
    """

    def __init__(
        self,
        verifier: GpgVerifier | None,
        by_commit: Mapping[Checksum, Sequence[GpgVerifier]] = MappingProxyType({}),
    ) -> None:
        self._verifier = verifier
        self._by_commit = by_commit
        self.results: list[Verification] = []
        self._checked: set[tuple[Checksum, bytes | None]] = set()

    def close(self) -> None:
        """Close the verifiers."""
        if self._verifier is not None:
            self._verifier.close()
        for verifiers in self._by_commit.values():
            for verifier in verifiers:
                verifier.close()

    @property
    def are_demanded(self) -> bool:
        """Whether a commit needs a signature."""
        return self._verifier is not None

    def check(self, checksum: Checksum, data: bytes, detached: bytes | None) -> None:
        """Let a commit pass, or not.

        Args:
            data: the bytes of the commit object.
            detached: its detached metadata, None when there is none.

        Raises:
            VerificationError: no signature is valid.
            ChecksumMismatchError: `data` is not that commit.
        """
        if self._verifier is None or _key(checksum, detached) in self._checked:
            return
        from pyostree.sign.detached import decode_signatures
        from pyostree.sign.gpg.detached import verify_gpg
        from pyostree.sign.gpg.result import require_valid

        actual = Checksum(hashlib.sha256(data).digest())
        if actual != checksum:
            raise ChecksumMismatchError("commit", str(checksum), str(actual))
        with doing(f"Commit {checksum}"):
            metadata = None if detached is None else decode_signatures(detached)
            for verifier in self._by_commit.get(checksum, (self._verifier,)):
                found = verify_gpg(verifier, data, metadata)
                self.results.append(Verification(checksum, found))
                require_valid(found)
        self._checked.add(_key(checksum, detached))

    def check_detached(self, repo: Repo, checksum: Checksum, detached: bytes) -> None:
        """Do the same for new detached metadata of a commit that is stored (errors as `check`)."""
        if self._verifier is not None:
            self.check(checksum, _read_commit(repo, checksum), detached)

    def copy_commit(self, source: Repo, target: Repo, checksum: Checksum) -> None:
        """Copy a commit with its detached metadata, after it was checked (errors as `check`).

        What is written are the very bytes that were checked: a link to the source's file would
        follow what becomes of that.
        """
        data, detached = _read_commit(source, checksum), source.store.read_detached(checksum)
        self.check(checksum, data, detached)
        target.mark_partial(checksum)
        if detached is not None:
            target.store.write_detached(checksum, detached)
        target.store.write_metadata(ObjectType.COMMIT, data, expected=checksum)

    def check_stored(self, repo: Repo, checksum: Checksum) -> None:
        """Do the same for a commit that is in a repository (errors as `check`)."""
        if self._verifier is None:
            return
        detached = repo.store.read_detached(checksum)
        if _key(checksum, detached) not in self._checked:
            self.check(checksum, _read_commit(repo, checksum), detached)


def _key(checksum: Checksum, detached: bytes | None) -> tuple[Checksum, bytes | None]:
    """Return what is checked once: other detached metadata may have no good signature."""
    return checksum, None if detached is None else hashlib.sha256(detached).digest()


def _read_commit(repo: Repo, checksum: Checksum) -> bytes:
    return repo.store.read_metadata(ObjectName(checksum, ObjectType.COMMIT))
