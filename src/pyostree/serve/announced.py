"""`AnnouncedRepo`: what the local network is told of a repository, read from its summary."""

from __future__ import annotations

from pyostree.closing import Closing
from pyostree.errors import FormatError
from pyostree.formats.bloom import fit_filter
from pyostree.formats.lan_record import MAX_FILTER_BYTES, LanRecord
from pyostree.formats.objects import MAX_METADATA_BYTES
from pyostree.formats.refspec import CollectionRef
from pyostree.formats.summary import Summary, decode_summary
from pyostree.fs.dir import Dir

_SUMMARY = "summary"
_NS_PER_S = 1_000_000_000


class AnnouncedRepo(Closing):
    """A repository whose refs are announced; read again when its summary changes.

    Attributes:
        path: of the repository.
        number: peers find it below ``/NUMBER``.
    """

    def __init__(self, path: str, number: int) -> None:
        self.path = path
        self.number = number
        self._dir = Dir.at(path)
        self._version: tuple[int, int, int] | None = None
        self._record: LanRecord | None = None

    def close(self) -> None:
        """Close the directory."""
        self._dir.close()

    def record(self) -> LanRecord | None:
        """Return what is to be announced now; None when there are no refs of collections.

        Raises:
            FormatError: the summary is none.
            OSError: it cannot be read.
        """
        status = self._dir.try_stat(_SUMMARY, follow=True)
        version = None if status is None else (status.st_ino, status.st_mtime_ns, status.st_size)
        if version != self._version:
            self._record = None if version is None else self._read(version[1] // _NS_PER_S)
            self._version = version
        return self._record

    def _read(self, modified: int) -> LanRecord | None:
        try:
            data = self._dir.read_file(_SUMMARY, max_bytes=MAX_METADATA_BYTES)
        except FileNotFoundError:  # removed just now
            return None
        try:
            summary = decode_summary(data)
        except FormatError as err:
            err.add_note(self.path)
            raise
        refs = _collection_refs(summary)
        if not refs:
            return None
        bloom = fit_filter(refs, max_bytes=MAX_FILTER_BYTES)
        return LanRecord(bloom, summary.last_modified or max(modified, 0), self.number)


def _collection_refs(summary: Summary) -> list[CollectionRef]:
    return [
        CollectionRef(collection_id, entry.name)
        for collection_id, refs in summary.collections()
        if collection_id is not None
        for entry in refs
    ]
