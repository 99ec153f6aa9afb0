"""What a pull asks for: refs, commits, or all that the remote lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyostree.errors import NotFoundError
from pyostree.formats.objects import Checksum, is_checksum, parse_checksum
from pyostree.formats.refspec import check_collection_id, check_ref_name
from pyostree.pull.options import Wanted


class RequestedRef(NamedTuple):
    """One ref to pull.

    Attributes:
        collection_id: collection it belongs to; None for that of the remote.
        checksum: the commit asked for; None: the one that the remote has.
    """

    collection_id: str | None
    ref: str
    checksum: Checksum | None = None


class Request(NamedTuple):
    """What a pull asks for.

    Attributes:
        refs: named refs, each once.
        commits: commits asked for without a ref.
        adds_all: every ref of the summary is wanted, too, if there is one.
        is_full_mirror: nothing but "all refs" was asked for; the summary is copied then.
    """

    refs: tuple[RequestedRef, ...]
    commits: tuple[Checksum, ...]
    adds_all: bool = False
    is_full_mirror: bool = False

    @property
    def needs_summary(self) -> bool:
        """Whether only the remote can say which commits are meant."""
        return self.adds_all or any(ref.checksum is None for ref in self.refs)


def plan_request(
    wanted: Sequence[Wanted], branches: Sequence[str], *, mirror: bool, remote: str
) -> Request:
    """Return what to pull.

    Args:
        wanted: refs and commits named by the caller; a name with a collection is always a ref.
        branches: refs that the remote's configuration names for the case that `wanted` is empty.
        remote: name of the remote, for messages.

    Raises:
        InvalidNameError: a bad ref name or collection ID.
        NotFoundError: nothing is named anywhere.
    """
    if not wanted and not branches:
        if mirror:
            return Request((), (), adds_all=True, is_full_mirror=True)
        raise NotFoundError(f"No configured branches for remote {remote}")
    refs: dict[tuple[str | None, str], RequestedRef] = {}
    commits: dict[Checksum, None] = {}
    for name, checksum, collection_id in wanted or [Wanted(branch) for branch in branches]:
        if collection_id is None and is_checksum(name):
            commits[parse_checksum(name)] = None
            continue
        check_ref_name(name)
        if collection_id is not None:
            check_collection_id(collection_id)
        # Of the same ref the last one counts.
        refs[collection_id, name] = RequestedRef(collection_id, name, checksum)
    return Request(tuple(refs.values()), tuple(commits), adds_all=mirror and not wanted)
