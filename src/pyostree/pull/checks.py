"""What a commit must fulfil to be pulled: signatures, bindings and timestamps."""

from __future__ import annotations

from pyostree.errors import doing
from pyostree.formats.commit import Commit
from pyostree.formats.objects import Checksum
from pyostree.pull.signatures import CommitSignatures
from pyostree.pull.timestamps import check_not_older
from pyostree.repo.bindings import check_bindings
from pyostree.repo.repo import Repo


class CommitChecks:
    """Checks every commit of one pull.

    Args:
        signatures: what signed commits must fulfil.
        collection_id: collection of the source; None to leave that unchecked.
        binds: whether bindings are checked.
        oldest: a commit that no pulled one may be older than.
    """

    def __init__(
        self,
        repo: Repo,
        signatures: CommitSignatures,
        *,
        collection_id: str | None,
        binds: bool = True,
        oldest: Checksum | None = None,
    ) -> None:
        self._repo = repo
        self._signatures = signatures
        self._collection_id = collection_id
        self._binds = binds
        self._oldest = oldest
        self._refs: dict[Checksum, list[str]] = {}
        self._current: dict[Checksum, list[tuple[str, Checksum]]] = {}

    def expect_ref(self, ref: str, checksum: Checksum, current: Checksum | None) -> None:
        """Note that a commit was asked for by `ref`.

        Args:
            current: commit that the ref has now, when the new one must not be older.
        """
        self._refs.setdefault(checksum, []).append(ref)
        if current is not None:
            self._current.setdefault(checksum, []).append((ref, current))

    def __call__(self, checksum: Checksum, commit: Commit) -> None:
        """Raise `VerificationError` for a commit that must not be pulled."""
        # Whatever way a commit has come: here at the latest its signature is checked.
        self._signatures.check_stored(self._repo, checksum)
        if self._binds:
            with doing(f"Commit {checksum}"):
                for ref in self._refs.get(checksum, (None,)):
                    check_bindings(commit, ref, self._collection_id)
        for ref, current in self._current.get(checksum, ()):
            self._check_time(f"Reading {ref} for timestamp-check", current, checksum, commit)
        if self._oldest is not None:
            what = f"Reading {self._oldest} for timestamp-check-from-rev"
            self._check_time(what, self._oldest, checksum, commit)

    def _check_time(self, what: str, old: Checksum, new: Checksum, commit: Commit) -> None:
        with doing(what):
            old_time = self._repo.load_commit(old).timestamp
        check_not_older(old, old_time, new, commit.timestamp)
