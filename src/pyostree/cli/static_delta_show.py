"""``ostree static-delta show DELTA``: print what a static delta consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import positional

if TYPE_CHECKING:
    from pyostree.delta.statistics import PartStatistics
    from pyostree.formats.delta_superblock import Superblock
    from pyostree.repo.repo import Repo

PARAMETERS = "DELTA"
NEEDS = REPO
OPTIONS = (positional("delta", missing="DELTA must be specified", plain=True),)


class Args(NamedTuple):
    """What was given on the command line."""

    delta: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Run the command."""
    from pyostree.delta.superblock_file import open_delta

    with open_delta(repo, args.delta) as (superblock, is_signed):
        print(f"Delta: {args.delta}", file=out)
        print(f"Signed: {'yes' if is_signed else 'no'}", file=out)
        _show_head(superblock, out)
        _show_parts(args.delta, superblock, repo, out)
        _show_totals(superblock, out)


def _show_parts(delta: str, superblock: Superblock, repo: Repo, out: TextIO) -> None:
    from pyostree.delta.statistics import read_statistics

    for index, header in enumerate(superblock.parts):
        sizes = f"size={header.size} usize={header.usize}"
        print(f"PartMeta{index}: nobjects={header.object_count} {sizes}", file=out)
        _show_part(index, read_statistics(repo, delta, superblock, index), out)


def _show_head(superblock: Superblock, out: TextIO) -> None:
    source = "From <scratch>" if superblock.source is None else f"From: {superblock.source}"
    lines = [
        source,
        f"To: {superblock.target}",
        f"Endianness: {superblock.endianness.value}",
        f"Timestamp: {superblock.timestamp}",
        f"Number of parents: {len(superblock.parents)}",
        f"Number of fallback entries: {len(superblock.fallbacks)}",
        *(f"  {fallback.raw_checksum.hex()}" for fallback in superblock.fallbacks),
        _total("Fallback Size", sum(fallback.size for fallback in superblock.fallbacks)),
        _total("Fallback Uncompressed Size", sum(one.usize for one in superblock.fallbacks)),
        f"Number of parts: {len(superblock.parts)}",
    ]
    for line in lines:
        print(line, file=out)


def _show_part(index: int, part: PartStatistics, out: TextIO) -> None:
    counts = " ".join(f"{name}={count}" for name, count in part.counts)
    print(
        f"PartPayload{index}: nmodes={part.modes} nxattrs={part.xattrs} "
        f"blobsize={part.blob_bytes} opsize={part.operation_bytes}",
        file=out,
    )
    print(f"PartPayloadOps{index}: {counts}", file=out)


def _show_totals(superblock: Superblock, out: TextIO) -> None:
    parts, fallbacks = superblock.parts, superblock.fallbacks
    size = sum(part.size for part in parts)
    usize = sum(part.usize for part in parts)
    for line in (
        _total("Part Size", size),
        _total("Part Uncompressed Size", usize),
        _total("Size", size + sum(one.size for one in fallbacks)),
        _total("Uncompressed Size", usize + sum(one.usize for one in fallbacks)),
    ):
        print(line, file=out)


def _total(what: str, size: int) -> str:
    from pyostree.formats.sizes import format_size

    return f"Total {what}: {size} ({format_size(size)})"
