"""The summary of a remote as a pull uses it: which commit a ref stands for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pyostree.errors import NotFoundError, UnsupportedError
from pyostree.formats.summary import MODE, TOMBSTONE_COMMITS, Summary, decode_summary
from pyostree.formats.summary_index import SummaryIndex
from pyostree.pull.requests import RequestedRef
from pyostree.repo.modes import RepoMode, parse_mode


class RemoteSummary(NamedTuple):
    """A summary whose names have been checked; `raw` are its bytes."""

    raw: bytes
    entries: SummaryIndex

    @property
    def content(self) -> Summary:
        """All of it, decoded, which takes long if there are many refs."""
        return decode_summary(self.raw)

    def iter_refs(self) -> Iterator[RequestedRef]:
        """Yield all refs with the commits they stand for."""
        for collection_id, refs in self.entries.collections():
            for entry in refs:
                yield RequestedRef(collection_id, entry.name, entry.checksum)

    def find(self, ref: RequestedRef) -> tuple[RequestedRef, int]:
        """Return `ref` with the commit it stands for, and the size of that object.

        Raises:
            NotFoundError: the summary does not list it.
        """
        collection_id = ref.collection_id or self.entries.collection_id
        entry = self.entries.find(ref.ref, collection_id)
        if entry is None:
            known = ref.collection_id
            shown = f"'{ref.ref}'" if known is None else f"({known}, {ref.ref})"
            raise NotFoundError(f"No such branch {shown} in repository summary")
        return RequestedRef(collection_id, ref.ref, entry.checksum), entry.size

    def check_mode(self) -> None:
        """Raise `UnsupportedError` unless the objects of the remote can be fetched over HTTP."""
        mode = self.entries.lookup_str(MODE)
        if mode is None or self.entries.lookup(TOMBSTONE_COMMITS) is None:
            return
        if parse_mode(mode) is not RepoMode.ARCHIVE:
            raise UnsupportedError(f'Can\'t pull from archives with mode "{mode}"')

    @property
    def has_tombstones(self) -> bool:
        """Whether the remote keeps tombstones of deleted commits."""
        return self.entries.lookup_bool(TOMBSTONE_COMMITS)


def read_remote_summary(data: bytes) -> RemoteSummary:
    """Return the content of a remote's summary.

    Raises:
        FormatError: not in normal form.
        InvalidNameError: a bad ref name or collection ID.
    """
    index = SummaryIndex(data)
    index.check_names()
    return RemoteSummary(data, index)
