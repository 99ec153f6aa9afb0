"""What a static delta consists of, in numbers."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from pyostree.delta.part_file import open_payload, payload_limit
from pyostree.formats import delta_operations as operations
from pyostree.formats.delta_superblock import (
    PartHeader,
    Superblock,
    decode_objects,
    decode_superblock,
    split_signed,
)
from pyostree.formats.objects import MAX_METADATA_BYTES
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.repo.delta_dirs import parse_delta_id, superblock_path
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


class ReadDelta(NamedTuple):
    """A superblock, and whether it is signed; signatures are not verified."""

    superblock: Superblock
    is_signed: bool


def read_delta(repo: Repo, delta: str) -> ReadDelta:
    """Return the superblock of a delta.

    Args:
        delta: its commits, or the path of a superblock when there is a slash in it.

    Raises:
        InvalidNameError: it is neither.
        OSError: it cannot be read.
        FormatError: it is damaged.
    """
    if "/" not in delta:
        return _read(repo.dir, superblock_path(parse_delta_id(delta)))
    directory, name = Dir.above(delta)
    with directory:
        return _read(directory, name)


def _read(directory: Dir, name: str) -> ReadDelta:
    data = directory.read_file(name, max_bytes=MAX_METADATA_BYTES)
    signed = split_signed(data)
    return ReadDelta(decode_superblock(data if signed is None else signed.data), signed is not None)


def read_statistics(directory: Dir, path: str, header: PartHeader, temp: Dir) -> PartStatistics:
    """Return the numbers of a part, whose checksum is not verified.

    Args:
        path: of the part's file, relative to `directory`.
        temp: where the uncompressed payload may lie.

    Raises:
        OSError: it cannot be read.
        FormatError: it is malformed.
    """
    objects = decode_objects(header.raw_objects)
    with (
        InputFile(directory.open_read(path)) as file,
        open_payload(file.chunks(), temp, max_bytes=payload_limit(header)) as payload,
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
