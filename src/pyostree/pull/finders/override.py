"""`OverrideFinder`: repositories whose URLs the caller knows already."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import unquote

from pyostree.errors import OstreeError, describe
from pyostree.formats.refspec import CollectionRef
from pyostree.formats.summary_index import SummaryIndex
from pyostree.pull.finders.base import FinderResult, Search
from pyostree.pull.finders.offers import MAX_THREADS, offer_of, read_summary
from pyostree.remote.dynamic import DynamicRemote, override_remote
from pyostree.remote.remotes import FILE_URL
from pyostree.repo.parallel import run_with_deadline

PRIORITY = 20
_log = logging.getLogger(__name__)


class OverrideFinder:
    """Finds refs at given URLs; their commits must be signed as those of any peer.

    Args:
        urls: base URLs of repositories.
    """

    name = "OstreeRepoFinderOverride"

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = [_unescaped(url) for url in urls]

    def find(self, search: Search) -> Sequence[FinderResult]:
        """Return the repositories that list some of the refs (see `pyostree.pull.finders.base`).

        The reference has a result for each ref; here it is one for each collection.
        """
        keyrings = search.keyrings()
        if not keyrings:  # nothing of what they have could be trusted
            return []
        limited = search.limited()
        jobs = [partial(self._ask, limited, keyrings, url) for url in self._urls]
        found = run_with_deadline(
            jobs, threads=MAX_THREADS, timeout_s=search.timeout_s, watch=search.watch
        )
        return [result for results in found for result in results or ()]

    def _ask(self, search: Search, keyrings: Mapping[str, str], url: str) -> list[FinderResult]:
        remotes = {
            collection_id: override_remote(url, keyring, collection_id)
            for collection_id, keyring in keyrings.items()
        }
        try:
            summary = SummaryIndex(read_summary(search, next(iter(remotes.values()))))
            refs = [ref for ref in search.refs if ref.collection_id in remotes]
            found = offer_of(summary, refs).refs
        except (OstreeError, OSError) as err:
            _log.debug("Ignoring URI ‘%s’: %s", url, describe(err))
            return []
        by_remote: dict[DynamicRemote, list[CollectionRef]] = {}
        for ref in found:
            by_remote.setdefault(remotes[ref.collection_id or ""], []).append(ref)
        return [
            FinderResult(
                remote,
                self.name,
                PRIORITY,
                {ref: found[ref].checksum for ref in refs},
                summary=summary,
            )
            for remote, refs in by_remote.items()
        ]


def _unescaped(url: str) -> str:
    if not url.startswith(FILE_URL):
        return url
    return FILE_URL + unquote(url.removeprefix(FILE_URL), errors="surrogateescape")
