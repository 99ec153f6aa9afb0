"""`RowMaker`: what a summary says of each ref, as far as possible taken over from the one before.

```
tmp/cache/summary-made      format of its rows, and SHA-256 of the summary that was published last
```

Rows are taken from that summary alone: one that somebody else made, or that is damaged, counts for
nothing. Without the file, or the right to write it, all commits are read.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress

from pyostree.errors import FormatError
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.formats.summary_rows import row_of_commit
from pyostree.repo.repo import Repo
from pyostree.repo.staging import CACHE_NAME

_NOTE = f"{CACHE_NAME}/summary-made"
_FORMAT = b"1 "  # a release whose rows are others counts on
_MAX_NOTE_BYTES = 100
_MIN_BYTES = 8 << 10  # the few commits of a smaller one are read as fast


class RowMaker:
    """Makes rows for one new summary.

    Args:
        published: the summary that is there; None when there is none.
    """

    def __init__(self, repo: Repo, published: bytes | None) -> None:
        self._store = repo.store
        self._known: dict[bytes, bytes] = {}
        if published is not None and _read_note(repo) == _note(published):
            self._known = _rows_of(published)

    def row(self, name: str, checksum: Checksum) -> bytes:
        """Return what the summary says of a ref.

        Raises:
            OstreeError, OSError: its commit is missing or cannot be read.
        """
        key = name.encode() + b"\0"
        known = self._known.get(key)
        object_name = ObjectName(checksum, ObjectType.COMMIT)
        if known is not None:
            at = (len(key) + 7) & -8
            if known[at + 8 : at + 40] == checksum:
                with suppress(OSError):  # reading it says what is wrong
                    if self._store.object_size(object_name) == _size(known, at):
                        return known
        return row_of_commit(name, checksum, self._store.read_metadata(object_name))


def note_summary(repo: Repo, data: bytes) -> None:
    """Remember that `data`, which is published now, has rows made by a `RowMaker`."""
    if len(data) >= _MIN_BYTES and repo.tmp.is_dir(CACHE_NAME):
        with suppress(OSError):  # the next summary takes longer
            repo.tmp.replace_file(_NOTE, _note(data), sync=False)


def _read_note(repo: Repo) -> bytes | None:
    try:
        return repo.tmp.read_file(_NOTE, max_bytes=_MAX_NOTE_BYTES)
    except OSError:
        return None


def _note(data: bytes) -> bytes:
    return _FORMAT + hashlib.sha256(data).hexdigest().encode() + b"\n"


def _rows_of(data: bytes) -> dict[bytes, bytes]:
    from pyostree.formats.summary_index import SummaryIndex

    known: dict[bytes, bytes] = {}
    try:
        index = SummaryIndex(data)
    except FormatError:
        return known
    for _, refs in index.collections():
        known.update(refs.rows())
    return known


def _size(row: bytes, at: int) -> int:
    return int.from_bytes(row[at : at + 8], "little")
