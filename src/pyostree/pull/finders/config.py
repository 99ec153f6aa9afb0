"""`ConfigFinder`: the configured remotes, each asked for what it has of its collection."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from pyostree.errors import OstreeError, describe
from pyostree.formats.summary_index import SummaryIndex
from pyostree.pull.finders.base import FinderResult, Search
from pyostree.pull.finders.offers import MAX_THREADS, offer_of, read_summary
from pyostree.repo.parallel import run_with_deadline

PRIORITY = 100
_log = logging.getLogger(__name__)


class ConfigFinder:
    """Finds refs at the remotes that have a ``collection-id``."""

    name = "OstreeRepoFinderConfig"

    def find(self, search: Search) -> Sequence[FinderResult]:
        """Return the remotes that list some of the refs (see `pyostree.pull.finders.base`)."""
        collections = {ref.collection_id for ref in search.refs}
        jobs = []
        for name in search.remotes.names():
            collection_id = search.remotes.get(name, "collection-id")
            if collection_id is not None and collection_id in collections:
                jobs.append(partial(self._ask, search, name, collection_id))
        # Without a limit of our own: the fetcher gives up on servers that do not answer.
        found = run_with_deadline(jobs, threads=MAX_THREADS, watch=search.watch)
        return [result for result in found if result is not None]

    def _ask(self, search: Search, remote: str, collection_id: str) -> FinderResult | None:
        try:
            summary = SummaryIndex(read_summary(search, remote))
            refs = [ref for ref in search.refs if ref.collection_id == collection_id]
            offer = offer_of(summary, refs)
        except (OstreeError, OSError) as err:
            _log.debug(
                "Ignoring remote ‘%s’ due to error loading its refs: %s", remote, describe(err)
            )
            return None
        if not offer.refs:
            return None
        found = {ref: offered.checksum for ref, offered in offer.refs.items()}
        return FinderResult(remote, self.name, PRIORITY, found, summary=summary)
