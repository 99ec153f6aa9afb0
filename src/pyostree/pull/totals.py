"""`PullTotals`: how much a pull has to get, known before it asks for content."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from pyostree.errors import FormatError
from pyostree.formats.object_sizes import SIZES_KEY, SIZES_TYPE
from pyostree.formats.objects import CHECKSUM_BYTES, Checksum, ObjectName, ObjectType
from pyostree.formats.varint import decode_varint
from pyostree.pull.progress import PullPhase, PullProgress
from pyostree.pull.supplier import Supplier
from pyostree.pull.walk import Walker
from pyostree.repo.repo import Repo

# A commit may claim anything; above, its figures are no help.
_MAX_BYTES = 1 << 63


class PullTotals:
    """Keeps phase and totals of a running pull's counters."""

    def __init__(
        self, repo: Repo, walker: Walker, supplier: Supplier, progress: PullProgress
    ) -> None:
        self._repo = repo
        self._walker = walker
        self._supplier = supplier
        self._progress = progress
        self._is_summed = False

    def update(self, *, with_bytes: bool) -> None:
        """Bring the counters up to date.

        Args:
            with_bytes: whether anybody wants to know; sizes take some time to look up.
        """
        progress, walker = self._progress, self._walker
        progress.scanned = walker.scanned
        progress.is_scanning = (
            walker.is_finding or progress.metadata_done < progress.metadata_wanted
        )
        if not progress.is_local:
            progress.bytes_done = progress.bytes_transferred
        if progress.deltas.size and with_bytes:
            self._update_bytes()  # their parts come while the rest is looked for
        if progress.is_scanning:
            progress.phase = PullPhase.SCAN
            return
        progress.objects_total = progress.wanted
        progress.phase = PullPhase.FETCH if progress.is_fetching else PullPhase.WRITE
        if with_bytes and not progress.is_local:
            self._update_bytes()

    def _update_bytes(self) -> None:
        progress = self._progress
        deltas = progress.deltas
        if deltas.size:
            progress.bytes_total = deltas.bytes_before + deltas.size - deltas.size_here
        elif not self._is_summed:
            self._is_summed = True
            wanted = set(self._supplier.wanted_content())
            size = sum_listed(self._repo, self._walker.commits, wanted)
            progress.bytes_total = None if size is None else progress.bytes_done + size


def sum_listed(repo: Repo, commits: Iterable[Checksum], wanted: set[Checksum]) -> int | None:
    """Return the compressed size of some content; None unless the commits list all of it."""
    found: dict[bytes, int] = {}
    for commit in commits:
        if len(found) == len(wanted):
            break
        if repo.store.has(ObjectName(commit, ObjectType.COMMIT)):  # parents may be missing
            sizes = repo.load_commit(commit).lookup(SIZES_KEY)
            if sizes is not None and sizes.type == SIZES_TYPE:
                _collect(sizes.value, wanted, found)
    total = sum(found.values())
    return total if len(found) == len(wanted) and total < _MAX_BYTES else None


def _collect(entries: Iterable[bytes], wanted: set[Checksum], found: dict[bytes, int]) -> None:
    for entry in entries:
        checksum = entry[:CHECKSUM_BYTES]
        if checksum in wanted:
            with suppress(FormatError):  # it is only information
                found[checksum], _ = decode_varint(entry, CHECKSUM_BYTES)
