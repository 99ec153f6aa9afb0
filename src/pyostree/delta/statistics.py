"""What a static delta consists of, in numbers."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from pyostree.delta.part_file import open_payload, payload_limit
from pyostree.delta.superblock_file import open_part, scratch_dir
from pyostree.formats import delta_operations as operations
from pyostree.formats.delta_superblock import Superblock, decode_objects
from pyostree.repo.repo import Repo


class PartStatistics(NamedTuple):
    """Sizes and counts of one part.

    Attributes:
        blob_bytes: what the operations take bytes from.
        operation_bytes: the operations themselves.
        counts: operations by the name that ``static-delta show`` has for them.
    """

    modes: int
    xattrs: int
    blob_bytes: int
    operation_bytes: int
    counts: tuple[tuple[str, int], ...]


_NAMES: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("openspliceclose", (operations.SpliceMetadata, operations.SpliceFile)),
    ("open", (operations.Open,)),
    ("write", (operations.Write,)),
    ("setread", (operations.SetSource,)),
    ("unsetread", (operations.UnsetSource,)),
    ("close", (operations.Close,)),
    ("bspatch", (operations.Patch,)),
)


def read_statistics(repo: Repo, delta: str, superblock: Superblock, index: int) -> PartStatistics:
    """Return the numbers of a part, whose checksum is not verified.

    Args:
        delta: as for `open_delta`, which gave its superblock.

    Raises:
        OSError: the part cannot be read.
        FormatError: it is malformed.
    """
    header = superblock.parts[index]
    objects = decode_objects(header.raw_objects)
    limit = payload_limit(header)
    with (
        scratch_dir(repo) as temp,
        open_part(repo, delta, superblock, index) as chunks,
        open_payload(chunks, temp, max_bytes=limit) as payload,
    ):
        found = operations.decode_operations(payload.operations, objects) if objects else ()
        counts = Counter(map(type, found))
        return PartStatistics(
            len(payload.modes),
            len(payload.xattrs),
            len(payload.blob),
            len(payload.operations),
            tuple((name, sum(counts[kind] for kind in kinds)) for name, kinds in _NAMES),
        )
