"""`pull_from_remotes`: pull refs from the repositories that were found, the best first."""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping, Sequence

from pyostree.errors import CancelledError, ConflictError, FetchError, OstreeError, describe
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

# Each transfer of a peer, where there are others to ask.
_PEER_LOW_SPEED_BYTES = 16_000
_PEER_LOW_SPEED_S = 15
_PEER_RETRIES = 1
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
        ConflictError: `options` name other keys than those of the collections.
        FetchError: some refs could not be pulled; the message names them, the hint says why.
        CancelledError: nothing has changed.
    """
    if options.ref_keyrings:
        raise ConflictError("Refs that were found need the keys of their collections, no others")
    pulled: dict[CollectionRef, None] = {}
    outcomes: list[PullResult] = []
    reasons: list[str] = []
    with repo.transaction(watch) as transaction:
        for number, result in enumerate(results):
            refs = {ref: one for ref, one in result.found_refs.items() if ref not in pulled}
            if not refs:
                _log.debug("Ignoring remote ‘%s’ as its refs have been pulled", result.name)
                continue
            later = {ref for other in results[number + 1 :] for ref in other.found_refs}
            terms = _terms(result, options, is_last=not later.issuperset(refs))
            floor = _floor(repo, result, options)
            site = PullSite(repo, report, watch, Remotes.load(repo), transaction, floor)
            try:
                outcomes.append(_pull(site, result, refs, terms))
            except CancelledError:
                raise
            except (OstreeError, OSError) as err:
                reasons.append(f"{result.name}: {describe(err)}")
                _log.debug("Failed to pull refs from ‘%s’: %s", result.name, describe(err))
            else:
                pulled.update(dict.fromkeys(refs))
    _check_all_pulled(results, pulled, reasons)
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


def _terms(result: FinderResult, options: PullOptions, *, is_last: bool) -> PullOptions:
    """Return how to pull from one of the repositories.

    Args:
        is_last: whether nobody after it has all that it has.
    """
    strict = options._replace(
        is_untrusted=True,
        gpg_verify=True,
        gpg_verify_summary=False,
        disable_sign_verify=False,
        check_bindings=True,
        url=None,
    )
    remote = result.remote
    if isinstance(remote, str):
        return strict._replace(ref_remote=None)
    strict = strict._replace(ref_remote=remote.keyring_remote)
    if is_last or remote.path is not None or options.max_bytes_per_s:
        return strict
    # A stranger that drips is not waited for while there is somebody else to ask.
    return strict._replace(
        low_speed_bytes=max(options.low_speed_bytes, _PEER_LOW_SPEED_BYTES),
        low_speed_time_s=min(options.low_speed_time_s, _PEER_LOW_SPEED_S),
        network_retries=min(options.network_retries, _PEER_RETRIES),
    )


def _pull(
    site: PullSite,
    result: FinderResult,
    refs: Mapping[CollectionRef, Checksum],
    terms: PullOptions,
) -> PullResult:
    if not isinstance(result.remote, str):
        assert site.remotes is not None
        add_dynamic(site.remotes, result.remote)
    commits = [Wanted(ref.ref, commit, ref.collection_id) for ref, commit in refs.items()]
    return pull_at(site, result.name, commits, terms)


def _check_all_pulled(
    results: Sequence[FinderResult], pulled: Container[CollectionRef], reasons: Sequence[str]
) -> None:
    wanted = {ref for result in results for ref in result.found_refs}
    missing = [ref for ref in sorted(wanted) if ref not in pulled]
    if not missing:
        return
    listed = ", ".join(f"({ref.collection_id}, {ref.ref})" for ref in missing)
    err = FetchError(f"Failed to pull some refs from the remotes: {listed}")
    err.hint = "; ".join(reasons) or None
    raise err
