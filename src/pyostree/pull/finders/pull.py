"""`pull_from_remotes`: pull refs from the repositories that were found, the best first."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pyostree.errors import CancelledError, FetchError, OstreeError, describe
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.formats.refspec import CollectionRef, Refspec
from pyostree.pull.finders.base import FinderResult
from pyostree.pull.from_remote import pull_at
from pyostree.pull.options import PullOptions, Wanted
from pyostree.pull.progress import PullResult
from pyostree.pull.site import PullSite, Report
from pyostree.remote.dynamic import add_dynamic
from pyostree.remote.remotes import Remotes
from pyostree.repo.repo import Repo
from pyostree.watch import UNWATCHED, Watch

_log = logging.getLogger(__name__)


def pull_from_remotes(
    repo: Repo,
    results: Sequence[FinderResult],
    options: PullOptions = PullOptions(),  # noqa: B008 - it is immutable
    report: Report | None = None,
    watch: Watch = UNWATCHED,
) -> list[PullResult]:
    """Pull the refs of all results, each ref from the first repository from which it can be had.

    Everything is verified: commits by the OpenPGP keys of the collection, whatever is configured,
    objects by their checksums. No peer can take a ref back to an older commit than the one that is
    here; a configured remote can. What could be pulled is stored even if something else could not.

    Args:
        results: of `find_remotes`, in that order.
        options: of the pulls; which refs and signatures are demanded is not theirs to say.

    Raises:
        FetchError: some refs could not be pulled; the message names them.
        CancelledError: nothing has changed.
    """
    wanted = {ref for result in results for ref in result.found_refs}
    pulled: dict[CollectionRef, None] = {}
    outcomes: list[PullResult] = []
    reasons: list[str] = []
    with repo.transaction(watch) as transaction:
        for result in results:
            refs = {ref: one for ref, one in result.found_refs.items() if ref not in pulled}
            if not refs:
                _log.debug("Ignoring remote ‘%s’ as its refs have been pulled", result.name)
                continue
            remotes = Remotes.load(repo)
            floor = _floor(repo, result, options)
            site = PullSite(repo, report, watch, remotes, transaction, floor)
            commits = [Wanted(ref.ref, one, ref.collection_id) for ref, one in refs.items()]
            try:
                outcomes.append(_pull(site, result, commits, options))
            except CancelledError:
                raise
            except (OstreeError, OSError) as err:
                reasons.append(f"{result.name}: {describe(err)}")
                _log.debug("Failed to pull refs from ‘%s’: %s", result.name, describe(err))
            else:
                pulled.update(dict.fromkeys(refs))
    missing = [ref for ref in sorted(wanted) if ref not in pulled]
    if missing:
        raise _failure(missing, reasons)
    return outcomes


def _floor(repo: Repo, result: FinderResult, options: PullOptions) -> dict[CollectionRef, Checksum]:
    """Return the commits here that a peer's must not be older than: it may be replaying them."""
    if isinstance(result.remote, str):
        return {}
    found = {}
    for ref in result.found_refs:
        if options.mirror:
            commit = repo.refs.read_foreign(ref, own_id=repo.config.collection_id)
        else:
            refspec = Refspec(result.remote.keyring_remote, ref.ref)
            commit = repo.resolve_ref(refspec, fallback=False)
        if commit is not None and repo.store.has(ObjectName(commit, ObjectType.COMMIT)):
            found[ref] = commit
    return found


def _pull(
    site: PullSite, result: FinderResult, commits: Sequence[Wanted], options: PullOptions
) -> PullResult:
    ref_remote = None
    if not isinstance(result.remote, str):
        assert site.remotes is not None
        add_dynamic(site.remotes, result.remote)
        ref_remote = result.remote.keyring_remote
    strict = options._replace(
        is_untrusted=True,
        gpg_verify=True,
        gpg_verify_summary=False,
        check_bindings=True,
        ref_remote=ref_remote,
        url=None,
    )
    return pull_at(site, result.name, commits, strict)


def _failure(missing: Sequence[CollectionRef], reasons: Sequence[str]) -> FetchError:
    listed = ", ".join(f"({ref.collection_id}, {ref.ref})" for ref in missing)
    err = FetchError(f"Failed to pull some refs from the remotes: {listed}")
    err.hint = "; ".join(reasons) or None
    return err
