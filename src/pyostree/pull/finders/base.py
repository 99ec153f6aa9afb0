"""`Finder`: one way to find out which repositories have the refs that somebody wants."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from pyostree.errors import CancelledError, NotFoundError
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum
from pyostree.formats.refspec import CollectionRef
from pyostree.formats.summary import SummaryRef
from pyostree.remote.dynamic import DynamicRemote, keyring_name
from pyostree.remote.endpoints import DEFAULT_OPTIONS, FetchOptions
from pyostree.remote.remotes import Remotes
from pyostree.repo.repo import Repo
from pyostree.watch import UNWATCHED, Watch

# For all that one finder waits for, such as peers that do not answer.
DEFAULT_TIMEOUT_S = 10.0
_log = logging.getLogger(__name__)


class TimeLimit(Watch):
    """Lets what waits go on until its time is over, or another watch says so."""

    __slots__ = ("_end_s", "_watch")

    def __init__(self, watch: Watch, timeout_s: float) -> None:
        self._watch = watch
        self._end_s = time.monotonic() + timeout_s

    def check(self) -> None:
        """Stop here if cancelled, or too late."""
        self._watch.check()
        if time.monotonic() >= self._end_s:
            raise CancelledError("it did not answer in time")


class Search(NamedTuple):
    """What finders look for.

    Attributes:
        repo: the repository that asks; peers that are this very one do not count.
        remotes: its configured remotes.
        refs: what is wanted, each with a collection, each once.
        fetch: settings of the fetcher for summaries of peers.
        cache_dir: where summaries of configured remotes are kept; None for the repository's own.
        timeout_s: a finder gives up waiting after this time and returns what it has.
        watch: asked now and then whether to go on.
    """

    repo: Repo
    remotes: Remotes
    refs: tuple[CollectionRef, ...]
    fetch: FetchOptions = DEFAULT_OPTIONS
    cache_dir: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    watch: Watch = UNWATCHED

    def keyring_remote(self, collection_id: str) -> str:
        """Return the configured remote whose keys count for a collection.

        Raises:
            NotFoundError: there is none, so nothing of that collection can be trusted.
        """
        for name in self.remotes.names():
            if self.remotes.get(name, "collection-id") == collection_id:
                return name
        raise NotFoundError(f"No keyring found configured locally for collection ‘{collection_id}’")

    def keyrings(self) -> dict[str, str]:
        """Return for each wanted collection the remote with its keys; those without are left out.

        They come in the order of the refs.
        """
        found: dict[str, str] = {}
        for collection_id in dict.fromkeys(ref.collection_id for ref in self.refs):
            if collection_id is None:
                continue
            try:
                found[collection_id] = self.keyring_remote(collection_id)
            except NotFoundError as err:
                _log.debug("Ignoring its refs: %s", err)
        return found

    def limited(self) -> Search:
        """Return the search for those whose time is running from now on."""
        return self._replace(watch=TimeLimit(self.watch, self.timeout_s))


class Listing(Protocol):
    """A summary, decoded or only indexed."""

    def find(self, name: str, collection_id: str | None = None) -> SummaryRef | None:
        """Return a ref of a collection, or None."""

    def lookup(self, key: str) -> Variant | None:
        """Return a metadata value, or None."""


class FinderResult(NamedTuple):
    """A repository that has some of the refs.

    Attributes:
        remote: name of a configured remote, or the description of a peer.
        finder: name of the finder, for display.
        priority: lower ones are preferred.
        refs: the wanted refs that it may have, with their commits; None for those of which it has
            none, or none that is new enough.
        timestamps: when these commits were made, as far as known; seconds since 1970 UTC.
        last_modified: when its summary was made, likewise; 0 when unknown.
        summary: its summary, if the finder has read it already; `find_remotes` does it otherwise.
    """

    remote: str | DynamicRemote
    finder: str
    priority: int
    refs: Mapping[CollectionRef, Checksum | None]
    timestamps: Mapping[CollectionRef, int] = MappingProxyType({})
    last_modified: int = 0
    summary: Listing | None = None

    @property
    def name(self) -> str:
        """Name of the remote."""
        return self.remote if isinstance(self.remote, str) else self.remote.name

    @property
    def keyring(self) -> str:
        """File name of the keys that count for it."""
        return keyring_name(self.remote) if isinstance(self.remote, str) else self.remote.keyring

    @property
    def found_refs(self) -> dict[CollectionRef, Checksum]:
        """The refs whose commit is known."""
        return {ref: commit for ref, commit in self.refs.items() if commit is not None}


class Finder(Protocol):
    """One way to find repositories."""

    @property
    def name(self) -> str:
        """The reference's name of it, such as ``OstreeRepoFinderMount``."""

    def find(self, search: Search) -> Sequence[FinderResult]:
        """Return the repositories that may have some of the refs, in any order.

        A repository that cannot be used, for whatever reason, is left out; `logging` hears of it.

        Raises:
            OstreeError, OSError: this way of finding cannot be used at all; the others still are.
        """


def sort_results(results: Sequence[FinderResult]) -> list[FinderResult]:
    """Return results as the reference orders them: the one to try first comes first."""
    return sorted(results, key=_sort_key)


def _sort_key(result: FinderResult) -> tuple[int, int, int, bytes]:
    # Strange, but what scripts see: the older summary and the fewer refs come first. A summary of
    # unknown age is not compared by it in the reference, which leaves its place to chance.
    name = result.name.encode("utf-8", "surrogateescape")
    return result.priority, result.last_modified, len(result.found_refs), name
