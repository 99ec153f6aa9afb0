"""Making a static delta: its parts, then the superblock that names them."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack

from pyostree.delta.compile import DeltaCompiler, Log
from pyostree.delta.options import GenerateOptions
from pyostree.delta.output import open_output
from pyostree.delta.part_builder import BuiltPart
from pyostree.delta.tree_files import read_tree
from pyostree.errors import NotFoundError
from pyostree.formats.commit import METADATA_TYPE
from pyostree.formats.delta_superblock import (
    Endianness,
    PartHeader,
    Superblock,
    encode_objects,
    encode_superblock,
    endianness_mark,
)
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import ObjectName, ObjectType
from pyostree.formats.superblock_layout import PART_TYPE
from pyostree.repo.delta_dirs import DeltaName, detached_key, part_path, superblock_path
from pyostree.repo.repo import Repo


def delta_exists(repo: Repo, name: DeltaName) -> bool:
    """Tell whether the repository has the delta."""
    return repo.dir.exists(superblock_path(name))


def resolve_delta(repo: Repo, target: str, source: str | None, *, is_empty: bool) -> DeltaName:
    """Return the commits of the delta that the caller asks for.

    Args:
        source: where it leads from; None for the parent of `target`.
        is_empty: make a delta from nothing.

    Raises:
        NotFoundError: a revision does not exist, or `target` has no parent.
    """
    to = repo.resolve(target)
    if is_empty:
        return DeltaName(None, to)
    if source is not None:
        return DeltaName(repo.resolve(source), to)
    parent = repo.load_commit(to).parent
    if parent is None:
        raise NotFoundError(f"Commit {to} has no parent")
    return DeltaName(parent, to)


def generate(
    repo: Repo, name: DeltaName, options: GenerateOptions, *, timestamp: int, log: Log
) -> None:
    """Make a delta and publish it, replacing one that exists.

    Args:
        timestamp: when, in seconds since 1970 UTC.
        log: takes lines that tell what happens.

    Raises:
        ObjectNotFoundError: a commit or something in its tree is missing.
        OstreeError: the delta cannot be signed; nothing of it is published then.
        OSError: the output cannot be written.
    """
    commit = repo.store.read_metadata(ObjectName(name.target, ObjectType.COMMIT))
    source = None if name.source is None else read_tree(repo, name.source)
    target = read_tree(repo, name.target)
    headers: list[PartHeader] = []
    inline: list[tuple[str, Variant]] = []
    with ExitStack() as opened:
        output = opened.enter_context(open_output(repo, name, options.path))

        def take_part(part: BuiltPart) -> None:
            if options.inline:
                value = (part.data[0], part.data[1:])
                inline.append((part_path(name, len(headers)), Variant(PART_TYPE, value)))
            else:
                output.add_part(part.data)
            headers.append(_header(part))

        compiler = DeltaCompiler(repo, options, take_part, log)
        compiler.compile(source, target)
        superblock = Superblock(
            metadata=(
                *options.metadata,
                endianness_mark(options.byteorder),
                *inline,
                *_detached(repo, name),
            ),
            timestamp=timestamp,
            source=name.source,
            target=name.target,
            commit=commit,
            parts=tuple(headers),
            fallbacks=tuple(compiler.fallbacks),
            endianness=Endianness(options.byteorder),
        )
        encoded = encode_superblock(superblock)
        output.publish(encoded if options.signers is None else options.signers.sign(encoded))


def _detached(repo: Repo, name: DeltaName) -> tuple[tuple[str, Variant], ...]:
    metadata = repo.read_detached_metadata(name.target)
    return ((detached_key(name), Variant(METADATA_TYPE, metadata)),) if metadata else ()


def _header(part: BuiltPart) -> PartHeader:
    checksum = hashlib.sha256(part.data).digest()
    return PartHeader(0, checksum, len(part.data), part.usize, encode_objects(part.objects))
