"""What a static delta will do: its superblock, checked in all parts before anything runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from pyostree.delta.apply_part import apply_part
from pyostree.delta.part_file import open_payload, payload_limit
from pyostree.errors import ChecksumMismatchError, FormatError, doing
from pyostree.formats.commit import METADATA_TYPE, encode_metadata
from pyostree.formats.delta_superblock import (
    InlinePart,
    PartHeader,
    Superblock,
    check_part_version,
    decode_objects,
)
from pyostree.formats.gvariant import lookup
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, checksum_from_variant
from pyostree.formats.superblock_layout import Buffer
from pyostree.repo.delta_dirs import DeltaName, detached_key, part_path
from pyostree.repo.repo import Repo


class DeltaPart(NamedTuple):
    """One part, the `number`-th; `inline` is its file when the superblock holds it."""

    number: int
    header: PartHeader
    checksum: Checksum
    objects: tuple[ObjectName, ...]
    inline: InlinePart | None

    def is_applied(self, repo: Repo) -> bool:
        """Tell whether all objects of the part are in the repository."""
        return all(repo.store.has(name) for name in self.objects)


class DeltaFallback(NamedTuple):
    """A file to be fetched whole; sizes as in the superblock."""

    checksum: Checksum
    size: int
    usize: int


class DeltaPlan(NamedTuple):
    """A checked superblock."""

    name: DeltaName
    superblock: Superblock
    parts: tuple[DeltaPart, ...]
    fallbacks: tuple[DeltaFallback, ...]

    @property
    def detached(self) -> bytes | None:
        """The commit's detached metadata, encoded; None when it has none."""
        found = lookup(self.superblock.metadata, detached_key(self.name))
        if found is None or found.type != METADATA_TYPE:
            return None
        return encode_metadata(found.value)

    @property
    def usize(self) -> int:
        """Bytes that the delta's objects hold."""
        parts = sum(part.header.usize for part in self.parts)
        return parts + sum(fallback.usize for fallback in self.fallbacks)


def plan_delta(superblock: Superblock, name: DeltaName | None = None) -> DeltaPlan:
    """Check a superblock.

    Args:
        name: of the delta that was asked for; None when any will do.

    Raises:
        FormatError: it belongs to another delta, or describes a part or fallback wrongly.
        InvalidNameError: a checksum has not 32 bytes.
    """
    if name is not None:
        check_name(superblock, name)
    own = DeltaName(superblock.source, superblock.target)
    parts = []
    for index, header in enumerate(superblock.parts):
        check_part_version(header)
        checksum = checksum_from_variant(header.raw_checksum)
        inline = superblock.inline_part(part_path(own, index))
        objects = decode_objects(header.raw_objects)
        parts.append(DeltaPart(index, header, checksum, objects, inline))
    fallbacks = []
    for kind, raw_checksum, size, usize in superblock.fallbacks:
        checksum = checksum_from_variant(raw_checksum)
        _check_fallback(kind, checksum)
        fallbacks.append(DeltaFallback(checksum, size, usize))
    return DeltaPlan(own, superblock, tuple(parts), tuple(fallbacks))


def check_name(superblock: Superblock, name: DeltaName) -> None:
    """Raise `FormatError` for the superblock of another delta."""
    own = DeltaName(superblock.source, superblock.target)
    if own != name:
        raise FormatError(f"Superblock of static delta {name} is that of {own}")


def _check_fallback(kind: int, checksum: Checksum) -> None:
    if kind == ObjectType.FILE:
        return
    if kind not in tuple(ObjectType):
        raise FormatError(f"Invalid object type '{kind}'")
    name = ObjectName(checksum, ObjectType(kind))
    raise FormatError(f"Found metadata object as fallback: {name}")


def store_commit(repo: Repo, plan: DeltaPlan) -> None:
    """Store the commit that the superblock holds, after its detached metadata.

    Raises:
        ChecksumMismatchError: it is not the one that it should be.
    """
    target = plan.name.target
    with doing("Writing metadata object"):
        actual = hashlib.sha256(plan.superblock.commit).hexdigest()
        if actual != str(target):  # before anything is written in its name
            raise ChecksumMismatchError("commit", str(target), actual)
    if plan.detached is not None:
        repo.store.write_detached(target, plan.detached)
    repo.write_metadata(ObjectType.COMMIT, plan.superblock.commit, expected=target)


def run_part(repo: Repo, part: DeltaPart, chunks: Iterable[Buffer] | None = None) -> None:
    """Apply a part.

    Args:
        chunks: its file; None for a part that the superblock holds.

    Raises:
        CorruptObjectError: the file or an object has another checksum.
        FormatError: the file or its operations are malformed.
    """
    checksum = None
    if chunks is None:
        assert part.inline is not None
        chunks = part.inline.chunks()
    else:
        checksum = part.checksum
    limit = payload_limit(part.header)
    with (
        open_payload(chunks, repo.store.temp, max_bytes=limit, checksum=checksum) as payload,
        doing(f"Executing delta part {part.number}"),
    ):
        apply_part(repo, part.objects, payload)
