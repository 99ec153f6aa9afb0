"""`Ledger`: keeps account of all objects that a commit writes or finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.objects import Checksum, ObjectType
from pyostree.repo.commit_sizes import SizeTable
from pyostree.repo.transaction import TransactionStats

if TYPE_CHECKING:
    from pyostree.repo.store.base import ObjectStore


class Ledger:
    """Statistics and sizes of one commit; used by the thread that makes it.

    Attributes:
        stats: of the transaction.
        sizes: to be listed in the commit; None where none are.
    """

    def __init__(
        self, store: ObjectStore, stats: TransactionStats, sizes: SizeTable | None = None
    ) -> None:
        self._store = store
        self.stats = stats
        self.sizes = sizes
        self._dirmetas: dict[bytes, Checksum] = {}

    def begin_layer(self) -> None:
        """Note that the next tree is about to be read."""
        self._dirmetas.clear()
        if self.sizes is not None:
            self.sizes.clear()

    def add_content(self, checksum: Checksum, size: int, *, is_new: bool, target: str = "") -> None:
        """Note a content object that was written or found.

        Args:
            size: bytes of content; 0 for a symlink.
            target: of a symlink.
        """
        self.stats.count_content(size, is_new=is_new)
        if self.sizes is not None:
            unpacked = len(target.encode("utf-8", "surrogateescape")) if target else size
            self.sizes.add(ObjectType.FILE, checksum, unpacked)

    def put_metadata(self, kind: ObjectType, data: bytes) -> Checksum:
        """Store a metadata object that was encoded here; return its checksum."""
        written = self._store.put_metadata(kind, data)
        self.stats.count_metadata(is_new=written.is_new)
        if self.sizes is not None and kind is not ObjectType.COMMIT:
            self.sizes.add(kind, written.checksum, len(data))
        return written.checksum

    def put_dirmeta(self, meta: Dirmeta) -> Checksum:
        """Store a dirmeta; equal ones, of which a tree has thousands, are looked up once."""
        data = encode_dirmeta(meta)
        known = self._dirmetas.get(data)
        if known is not None:
            self.stats.count_metadata(is_new=False)
            return known
        checksum = self._dirmetas[data] = self.put_metadata(ObjectType.DIRMETA, data)
        return checksum
