"""`find_remotes`: which repositories, near or far, have the newest commits of some refs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from pyostree.errors import OstreeError, describe
from pyostree.formats.objects import Checksum
from pyostree.formats.refspec import CollectionRef, check_collection_id, check_ref_name
from pyostree.pull.finders.base import (
    DEFAULT_TIMEOUT_S,
    Finder,
    FinderResult,
    Search,
    sort_results,
)
from pyostree.pull.finders.choice import choose_newest
from pyostree.pull.finders.claim import Candidate
from pyostree.pull.finders.names import default_finders
from pyostree.pull.finders.offers import Offer, fetch_offers, offer_of, refs_of
from pyostree.remote.endpoints import DEFAULT_OPTIONS, FetchOptions
from pyostree.remote.remotes import Remotes
from pyostree.repo.parallel import run_with_deadline
from pyostree.repo.repo import Repo
from pyostree.watch import UNWATCHED, Watch

_log = logging.getLogger(__name__)


class FindOptions(NamedTuple):
    """How to look.

    Attributes:
        fetch: settings of the fetcher for summaries.
        cache_dir: where summaries of configured remotes are kept; None for the repository's own.
        timeout_s: peers that have not answered after this time are left out; configured remotes
            have the time that the fetcher gives them.
        commits: commits to take for refs, whatever the repositories have.
    """

    fetch: FetchOptions = DEFAULT_OPTIONS
    cache_dir: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    commits: Mapping[CollectionRef, Checksum] = MappingProxyType({})


DEFAULT_FIND_OPTIONS = FindOptions()


def find_remotes(
    repo: Repo,
    refs: Sequence[CollectionRef],
    finders: Sequence[Finder] | None = None,
    options: FindOptions = DEFAULT_FIND_OPTIONS,
    watch: Watch = UNWATCHED,
) -> list[FinderResult]:
    """Return the repositories that have the newest commits of the refs, the best first.

    What does not work, a finder or a repository, is left out; `logging` hears of it.

    Args:
        refs: each with a collection.
        finders: ways to look; None for those that the repository's configuration names.
        watch: may cancel.

    Raises:
        InvalidNameError: a bad ref or collection.
        ConfigError, FormatError: the configuration of the remotes is wrong.
    """
    search = _search(repo, refs, options, watch)
    results = _run_finders(search, default_finders(repo) if finders is None else finders)
    watch.check()
    candidates = _with_offers(search, results)
    watch.check()
    newest = choose_newest(search, candidates)
    final = [
        result
        for candidate in candidates
        if not candidate.is_dropped
        and (result := _final(search, candidate, newest, options.commits)) is not None
    ]
    return sort_results(final)


def _search(
    repo: Repo, refs: Sequence[CollectionRef], options: FindOptions, watch: Watch
) -> Search:
    for ref in refs:
        check_collection_id(ref.collection_id or "")
        check_ref_name(ref.ref)
    return Search(
        repo,
        Remotes.load(repo),
        tuple(dict.fromkeys(refs)),
        fetch=options.fetch,
        cache_dir=options.cache_dir,
        timeout_s=options.timeout_s,
        watch=watch,
    )


def _run_finders(search: Search, finders: Sequence[Finder]) -> list[FinderResult]:
    def run(finder: Finder) -> Sequence[FinderResult]:
        try:
            return finder.find(search)
        except (OstreeError, OSError) as err:
            _log.debug(
                "Failed to resolve refs to repositories with %s: %s", finder.name, describe(err)
            )
            return ()

    # Each finder keeps to the time-out itself, as far as one applies.
    jobs = [partial(run, finder) for finder in finders]
    found = run_with_deadline(jobs, threads=len(jobs), watch=search.watch)
    return sort_results([result for results in found for result in results or ()])


def _with_offers(search: Search, results: Sequence[FinderResult]) -> list[Candidate]:
    """Return the results together with what their summaries say; those without one are left out."""
    missing = [result.remote for result in results if result.summary is None]
    peers = [remote for remote in missing if not isinstance(remote, str)]
    names = [remote for remote in missing if isinstance(remote, str)]
    offers = dict(zip(names, fetch_offers(search, names, is_limited=False), strict=True))
    offers_of_peers = fetch_offers(search, peers, is_limited=True)
    by_peer = dict(zip(peers, offers_of_peers, strict=True))
    candidates = []
    for result in results:
        remote = result.remote
        if result.summary is not None:
            offer = _offer_of(search, result)
        elif isinstance(remote, str):
            offer = offers[remote]
        else:
            offer = by_peer[remote]
        if offer is not None:
            candidates.append(Candidate(result, offer))
    return candidates


def _offer_of(search: Search, result: FinderResult) -> Offer | None:
    assert result.summary is not None
    try:
        return offer_of(result.summary, refs_of(result.remote, search.refs))
    except OstreeError as err:
        _log.debug("Ignoring remote ‘%s’: %s", result.name, describe(err))
        return None


def _final(
    search: Search,
    candidate: Candidate,
    newest: Mapping[CollectionRef, Checksum],
    commits: Mapping[CollectionRef, Checksum],
) -> FinderResult | None:
    """Return a result with the refs of which it has the newest commit; None when there is none."""
    offer = candidate.offer
    refs: dict[CollectionRef, Checksum | None] = {}
    times: dict[CollectionRef, int] = {}
    for ref in search.refs:
        offered = offer.refs.get(ref)
        is_newest = offered is not None and newest.get(ref) == offered.checksum
        refs[ref] = commits[ref] if ref in commits else newest[ref] if is_newest else None
        if is_newest and offered is not None and offered.timestamp is not None:
            times[ref] = offered.timestamp
    if not any(refs.values()):
        _log.debug(
            "Omitting remote ‘%s’ from results as none of its refs are new enough.",
            candidate.result.name,
        )
        return None
    return candidate.result._replace(
        refs=refs, timestamps=times, last_modified=offer.last_modified, summary=None
    )
