"""From refs to commits: what the summary says, else what the source itself says."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyostree.formats.objects import Checksum
from pyostree.pull.remote_summary import RemoteSummary
from pyostree.pull.requests import Request, RequestedRef

# Asks the source for the commit of one ref.
LookUp = Callable[[RequestedRef], Checksum]


class ResolvedRef(NamedTuple):
    """A ref with its commit; `commit_bytes` is the size of that object, 0 when unknown."""

    collection_id: str | None
    ref: str
    checksum: Checksum
    commit_bytes: int = 0


def resolve_refs(
    request: Request, summary: RemoteSummary | None, look_up: LookUp
) -> list[ResolvedRef]:
    """Return the requested refs with their commits.

    Raises:
        NotFoundError: the source does not have one of them.
    """
    wanted: dict[tuple[str | None, str], RequestedRef] = {
        (ref.collection_id, ref.ref): ref for ref in request.refs
    }
    if request.adds_all and summary is not None:
        for ref in summary.iter_refs():
            wanted.setdefault((ref.collection_id, ref.ref), ref)
    return [_resolve(ref, summary, look_up) for ref in wanted.values()]


def _resolve(ref: RequestedRef, summary: RemoteSummary | None, look_up: LookUp) -> ResolvedRef:
    if ref.checksum is not None:
        return ResolvedRef(ref.collection_id, ref.ref, ref.checksum)
    if summary is not None:
        found, size = summary.find(ref)
        assert found.checksum is not None
        return ResolvedRef(found.collection_id, found.ref, found.checksum, size)
    return ResolvedRef(ref.collection_id, ref.ref, look_up(ref))
