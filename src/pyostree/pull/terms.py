"""`PullTerms`: what counts for a pull from one remote: its refs, its signatures, its options."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pyostree.closing import Closing
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
from pyostree.pull.signatures import CommitDemand, CommitSignatures, GpgDemand, OtherDemand
from pyostree.remote.endpoints import Demands, read_demands
from pyostree.remote.fetch import Validators
from pyostree.remote.remotes import FILE_URL, Remotes
from pyostree.remote.summary_cache import CachedFile
from pyostree.remote.summary_fetcher import SummaryFiles
from pyostree.repo.repo import Repo

if TYPE_CHECKING:  # slow to import, and few remotes demand such signatures
    from pyostree.remote.sign_keys import EngineDemand

_NO_SUMMARY = (
    "Fetching all refs was requested in mirror mode, but remote repository does not have a summary"
)


class PullTerms(Closing):
    """What counts for a pull from one remote, or from a repository by its URL; a context manager.

    Attributes:
        repo: where it goes to.
        name: of the remote; or a ``file://`` URL, which has no configuration.
        ref_remote: remote under which refs are stored; None: as local refs.
        commit_engines: what engines have to say of commits; None: nothing.
        demands: which signatures are checked.
        started_s: when the pull began, on the monotonic clock.

    Raises:
        RemoteNotFoundError: there is no such remote.
        VerificationError: signatures are to be checked, but nothing says by which keys.
        ConfigError, UnsupportedError: what is configured of signatures makes no sense.
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
        # A repository that is named by its URL has no keys of its own.
        self._key_owner = options.ref_remote or name if is_path else name
        self.demands = _read_demands(remotes, name, self._key_owner, options)
        self._opened = ExitStack()
        # These look for mistakes in the configuration before anything is fetched.
        self.commit_engines = self._open_engines("sign-verify", self.demands.engine_commits)
        self._summary_engines = self._open_engines(
            "sign-verify-summary", self.demands.engine_summary
        )

    def close(self) -> None:
        """Close what verifies."""
        self._opened.close()

    def _open_engines(self, option: str, is_demanded: bool) -> EngineDemand | None:
        if not is_demanded:
            return None
        from pyostree.remote.sign_keys import read_engine_demand

        demand = read_engine_demand(self.remotes, self._key_owner, option)
        assert demand is not None
        return self._opened.enter_context(demand)

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
        if self.demands.gpg_summary or self.demands.engine_summary:
            from pyostree.remote.summary_signatures import IN_PULL, SummaryDemand

            gpg_owner = self._key_owner if self.demands.gpg_summary else None
            demand = SummaryDemand(self.remotes, gpg_owner, self._summary_engines)
            demand.check(files.summary_data, files.signature_data, IN_PULL)

    def open_signatures(self, plan: Plan) -> CommitSignatures:
        """Return what checks the commits of a pull, to be used in ``with``."""
        demands: list[CommitDemand] = []
        if self.demands.gpg_commits:
            demands.append(self._open_gpg(plan))
        if self.commit_engines is not None:
            demands.append(OtherDemand(self.commit_engines))
        return CommitSignatures(demands)

    def _open_gpg(self, plan: Plan) -> GpgDemand:
        from pyostree.remote.keyrings import open_remote_verifier  # slow to import

        with ExitStack() as opened:
            verifiers = {}
            others = self._other_keyrings(plan.refs, plan.commits)
            for keyring in {name for names in others.values() for name in names}:
                verifiers[keyring] = open_remote_verifier(self.remotes, keyring)
                opened.callback(verifiers[keyring].close)
            demand = GpgDemand(
                open_remote_verifier(self.remotes, self._key_owner),
                {commit: [verifiers[name] for name in names] for commit, names in others.items()},
            )
            opened.pop_all()
        return demand

    def _other_keyrings(
        self, refs: Sequence[ResolvedRef], commits: Sequence[Checksum]
    ) -> Mapping[Checksum, set[str]]:
        """Return commits that the keys of other remotes have to have signed, with all of these.

        A commit that is wanted for several refs, or also by its checksum, needs the signatures
        that each of these would need alone.
        """
        keyrings: dict[tuple[str | None, str], set[str]] = {}
        for collection_id, ref, keyring in self.options.ref_keyrings:
            keyrings.setdefault((collection_id, ref), set()).add(keyring)
        own = {self._key_owner}
        found: dict[Checksum, set[str]] = {commit: set(own) for commit in commits}
        for wanted in refs:
            names = keyrings.get((wanted.collection_id, wanted.ref), own)
            found.setdefault(wanted.checksum, set()).update(names)
        return {commit: names for commit, names in found.items() if names != own}


def _read_demands(remotes: Remotes, name: str, key_owner: str, options: PullOptions) -> Demands:
    """Return which signatures a pull must check: the caller's wish, else the configuration's.

    Args:
        key_owner: the remote whose keys count; what it demands, it demands also of a repository
            that is named by its URL.
    """
    if key_owner != name and _settles_demands(options):
        demands = Demands(False, False, False, False)  # refs may go to a remote that there is not
    else:
        demands = read_demands(remotes, key_owner)
    if options.gpg_verify is not None:
        demands = demands._replace(gpg_commits=options.gpg_verify)
    if options.gpg_verify_summary is not None:
        demands = demands._replace(gpg_summary=options.gpg_verify_summary)
    if options.disable_sign_verify:
        demands = demands._replace(engine_commits=False, engine_summary=False)
    return demands


def _settles_demands(options: PullOptions) -> bool:
    """Tell whether a caller leaves nothing to the configuration."""
    is_gpg_settled = None not in (options.gpg_verify, options.gpg_verify_summary)
    return is_gpg_settled and options.disable_sign_verify


def _check_needs_no_keys(options: PullOptions) -> None:
    if options.gpg_verify or options.gpg_verify_summary:
        raise VerificationError("Must specify remote name to enable gpg verification")
