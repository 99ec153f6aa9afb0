"""How a static delta is made."""

from __future__ import annotations

import sys
from typing import NamedTuple

from pyostree.delta.signatures import DeltaSigners
from pyostree.formats.gvariant import ByteOrder, Variant

_MB = 1_000_000


class GenerateOptions(NamedTuple):
    """Options of a new delta.

    Attributes:
        min_fallback_bytes: files larger than this are left to be fetched whole; 0: none.
        max_bsdiff_bytes: an old and a new file with more than this are not compared.
        max_chunk_bytes: size of a part before compression; one large object may exceed it.
        bsdiff: whether changed files are stored as patches of their old versions.
        inline: whether the superblock holds the parts.
        byteorder: of sizes in the superblock.
        path: of the superblock; None for the usual place in the repository.
        metadata: what callers add to the superblock.
        signers: None for a delta without signatures.
    """

    min_fallback_bytes: int = 4 * _MB
    max_bsdiff_bytes: int = 128 * _MB
    max_chunk_bytes: int = 32 * _MB
    bsdiff: bool = True
    inline: bool = False
    byteorder: ByteOrder = sys.byteorder
    path: str | None = None
    metadata: tuple[tuple[str, Variant], ...] = ()
    signers: DeltaSigners | None = None
