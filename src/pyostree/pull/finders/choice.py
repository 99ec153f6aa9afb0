"""Which commit of a ref is the newest, when repositories have different ones.

The times that peers write into their summaries decide nothing: a stick that says its old commit is
from the next century must not hide the update that others have. Where repositories disagree, the
time of a commit counts as far as it is known: from the commit itself, if it is stored here, from
the summary of a configured remote, or else from the signed commit, fetched from whoever lists it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.formats.refspec import CollectionRef
from pyostree.pull.finders.base import Search
from pyostree.pull.finders.claim import Candidate, Claim
from pyostree.pull.finders.offers import Offered
from pyostree.repo.repo import Repo


class _Times:
    """When commits were made, as far as that is known for certain."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._times: dict[Checksum, int] = {}
        self._sizes: dict[Checksum, int] = {}

    def get(self, commit: Checksum) -> int | None:
        """Return the time of a commit; None when unknown."""
        if commit not in self._times:
            name = ObjectName(commit, ObjectType.COMMIT)
            if self._repo.store.has(name):
                self._times[commit] = self._repo.load_commit(commit).timestamp
        return self._times.get(commit)

    def set(self, commit: Checksum, timestamp: int) -> None:
        """Note what was found out."""
        self._times[commit] = timestamp

    def agrees(self, offered: Offered) -> bool:
        """Tell whether what a summary says of a commit is not known to be wrong."""
        known = self.get(offered.checksum)
        if known is not None and offered.timestamp is not None and offered.timestamp != known:
            return False
        return self._sizes.get(offered.checksum, offered.size) == offered.size

    def believe(self, offered: Offered) -> None:
        """Take the word of a configured remote."""
        self._sizes.setdefault(offered.checksum, offered.size)
        if offered.timestamp is not None and self.get(offered.checksum) is None:
            self._times[offered.checksum] = offered.timestamp


def choose_newest(search: Search, candidates: Sequence[Candidate]) -> dict[CollectionRef, Checksum]:
    """Return the newest commit of each ref; candidates that were found to be wrong are dropped."""
    times = _Times(search.repo)
    # Whom somebody configured goes first: a peer must not be able to contradict it.
    for candidate in sorted(candidates, key=lambda one: one.is_peer):
        for offered in candidate.offer.refs.values():
            if not times.agrees(offered):
                candidate.drop(f"it contradicts what is known of commit {offered.checksum}")
                break
        else:
            if not candidate.is_peer:
                for offered in candidate.offer.refs.values():
                    times.believe(offered)
    unproven = _unproven(search, candidates, times)
    if unproven:
        _prove(search, unproven, times)
    return {ref: commit for ref in search.refs if (commit := _newest(ref, candidates, times))}


def _offers(ref: CollectionRef, candidates: Sequence[Candidate]) -> list[tuple[Candidate, Offered]]:
    return [
        (candidate, candidate.offer.refs[ref])
        for candidate in candidates
        if not candidate.is_dropped and ref in candidate.offer.refs
    ]


def _newest(ref: CollectionRef, candidates: Sequence[Candidate], times: _Times) -> Checksum | None:
    offers = _offers(ref, candidates)
    # Of several from the same second the first one counts, which the better repository has.
    best = max(offers, key=lambda offer: times.get(offer[1].checksum) or 0, default=None)
    return None if best is None else best[1].checksum


def _unproven(search: Search, candidates: Sequence[Candidate], times: _Times) -> list[Claim]:
    """Return the commits whose time is needed but unknown, with all candidates that have them."""
    found: dict[tuple[CollectionRef, Checksum], Claim] = {}
    for ref in search.refs:
        offers = _offers(ref, candidates)
        if len({offered.checksum for _, offered in offers}) < 2:  # noqa: PLR2004 - no choice
            continue
        for candidate, offered in offers:
            commit = offered.checksum
            if times.get(commit) is None:
                found.setdefault((ref, commit), Claim(ref, commit)).candidates.append(candidate)
    return list(found.values())


def _prove(search: Search, claims: Sequence[Claim], times: _Times) -> None:
    """Fetch the commits; drop the candidates of which they cannot be had, or say another time."""
    from pyostree.pull.finders.proving import prove_claims  # rarely needed

    prove_claims(search, claims)
    for claim in claims:
        if claim.timestamp is not None:
            times.set(claim.commit, claim.timestamp)
        for candidate in claim.failed if claim.is_proven else claim.candidates:
            candidate.drop(f"its commit of {claim.ref} cannot be verified")
        for candidate in claim.candidates:
            said = candidate.offer.refs[claim.ref].timestamp
            if claim.timestamp is not None and said not in (None, claim.timestamp):
                candidate.drop(f"its summary says a wrong time of commit {claim.commit}")
