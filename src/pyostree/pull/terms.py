"""`PullTerms`: what counts for a pull from one remote: its refs, its signatures, its options."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from pyostree.errors import (
    InvalidNameError,
    NotFoundError,
    UnsupportedError,
    VerificationError,
)
from pyostree.formats.objects import Checksum
from pyostree.pull.options import PullOptions, Wanted
from pyostree.pull.requests import Request, plan_request
from pyostree.pull.resolve import ResolvedRef
from pyostree.pull.run import Plan
from pyostree.pull.signatures import CommitSignatures, check_summary, demands_of
from pyostree.remote.endpoints import unverifiable
from pyostree.remote.fetch import Validators
from pyostree.remote.remotes import FILE_URL, Remotes
from pyostree.remote.summary_cache import CachedFile
from pyostree.remote.summary_fetcher import SummaryFiles
from pyostree.repo.repo import Repo

_NO_SUMMARY = (
    "Fetching all refs was requested in mirror mode, but remote repository does not have a summary"
)


class PullTerms:
    """What counts for a pull from one remote, or from a repository by its URL.

    Attributes:
        repo: where it goes to.
        name: of the remote; or a ``file://`` URL, which has no configuration.
        ref_remote: remote under which refs are stored; None: as local refs.
        demands: which signatures are checked.
        started_s: when the pull began, on the monotonic clock.

    Raises:
        RemoteNotFoundError: there is no such remote.
        VerificationError: signatures are to be checked, but nothing says by which keys, or they
            are of a kind that cannot be checked.
    """

    def __init__(self, repo: Repo, remotes: Remotes, name: str, options: PullOptions) -> None:
        self.repo = repo
        self.remotes = remotes
        self.name = name
        self.options = options
        self.started_s = time.monotonic()
        is_path = name.startswith(FILE_URL)
        if is_path and options.ref_remote is None:
            _check_needs_no_keys(options)
        self.ref_remote = options.ref_remote
        if self.ref_remote == "":
            raise InvalidNameError("Invalid remote name: it is empty")
        if self.ref_remote is None and not is_path:
            self.ref_remote = name
        self.demands = demands_of(remotes, name, options)
        if self.demands.engine_commits:
            raise unverifiable(name, "sign-verify")
        # A repository that is named by its URL has no keys of its own.
        self._key_owner = options.ref_remote or name if is_path else name

    @property
    def is_from_peer(self) -> bool:
        """Whether the source is not one that anybody here has configured."""
        return self.remotes.is_temporary(self.name)

    def source_collection(self, source: Repo) -> str | None:
        """Return the collection that commits from a repository on this machine must belong to."""
        if self.is_from_peer:  # what it says of itself does not count
            return self.remotes.get(self.name, "collection-id")
        return source.config.collection_id

    def plan_request(self, wanted: Sequence[Wanted]) -> Request:
        """Return what to pull, `wanted` or what the configuration names."""
        branches = self.remotes.get_list(self.name, "branches") or ()
        return plan_request(wanted, branches, mirror=self.options.mirror, remote=self.name)

    def check_deltas(self) -> None:
        """Raise `UnsupportedError` when static deltas are required where they cannot be used."""
        if self.options.require_static_deltas and not self.repo.mode.is_bare:
            raise UnsupportedError("Can't use static deltas in an archive repo")

    @property
    def uses_deltas(self) -> bool:
        """Whether static deltas are of any use here."""
        options = self.options
        return self.repo.mode.is_bare and not (options.disable_static_deltas or options.commit_only)

    def given_summary(self) -> SummaryFiles | None:
        """Return the summary that the caller has brought along, if any."""
        if self.options.summary is None:
            return None
        signature = self.options.summary_signature
        return SummaryFiles(
            CachedFile(self.options.summary, Validators()),
            None if signature is None else CachedFile(signature, Validators()),
        )

    def check_summary(self, files: SummaryFiles, *, must_exist: bool) -> None:
        """Let the summary pass that a pull goes by, or not.

        Raises:
            VerificationError: it has not the signatures that are demanded.
            NotFoundError: there is none.
        """
        if files.summary is None and must_exist and not self.demands.gpg_summary:
            raise NotFoundError(_NO_SUMMARY)
        check_summary(
            self.demands,
            self.remotes,
            self._key_owner,
            None if files.summary is None else files.summary.data,
            None if files.signature is None else files.signature.data,
        )

    def open_signatures(self, plan: Plan) -> CommitSignatures:
        """Return what checks the commits of a pull, to be used in ``with``."""
        if not self.demands.gpg_commits:
            return CommitSignatures(None)
        from pyostree.remote.keyrings import open_remote_verifier  # slow to import

        with ExitStack() as opened:
            verifiers = {}
            others = self._other_keyrings(plan.refs)
            for keyring in {name for names in others.values() for name in names}:
                verifiers[keyring] = open_remote_verifier(self.remotes, keyring)
                opened.callback(verifiers[keyring].close)
            signatures = CommitSignatures(
                open_remote_verifier(self.remotes, self._key_owner),
                {commit: [verifiers[name] for name in names] for commit, names in others.items()},
            )
            opened.pop_all()
        return signatures

    def _other_keyrings(self, refs: Sequence[ResolvedRef]) -> Mapping[Checksum, set[str]]:
        """Return commits for which the keys of other remotes count, with these."""
        keyrings = {
            (keyring.collection_id, keyring.ref): keyring.keyring
            for keyring in self.options.ref_keyrings
        }
        found: dict[Checksum, set[str]] = {}
        for ref in refs:
            if ref.collection_id is not None and (ref.collection_id, ref.ref) in keyrings:
                found.setdefault(ref.checksum, set()).add(keyrings[ref.collection_id, ref.ref])
        return found


def _check_needs_no_keys(options: PullOptions) -> None:
    if options.gpg_verify or options.gpg_verify_summary:
        raise VerificationError("Must specify remote name to enable gpg verification")
