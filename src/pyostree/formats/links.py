"""What commits and dirtrees point to, and nothing else: straight-line decoders for walks.

A walk over a repository reads every dirtree and needs none of its names. These decoders slice the
checksums out where the framing offsets say that they are, which takes a tenth of the time of
`decode_dirtree` and `decode_commit`. Whatever looks unusual goes to those, which accept or refuse
it; names in a dirtree and the metadata of a commit are not looked at otherwise.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from pyostree.formats.commit import decode_commit, find_framing
from pyostree.formats.dirtree import decode_dirtree
from pyostree.formats.framing import NARROW_BYTES, offset_width
from pyostree.formats.objects import CHECKSUM_BYTES, Checksum

_OFFSET_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_TIMESTAMP = struct.Struct(">q")


class TreeLinks(NamedTuple):
    """The objects that a dirtree names, in its order; `dirmetas` belong to `dirtrees` pairwise."""

    files: list[bytes]
    dirtrees: list[bytes]
    dirmetas: list[bytes]


class CommitLinks(NamedTuple):
    """What a commit points to, and its time in seconds since 1970 UTC."""

    parent: Checksum | None
    timestamp: int
    root_tree: Checksum
    root_meta: Checksum


def decode_tree_links(data: bytes) -> TreeLinks:
    """Return what a dirtree names (errors as `decode_dirtree`, but names are not checked)."""
    size = len(data)
    width = offset_width(size)
    body_end = size - width
    files_end = int.from_bytes(data[body_end:], "little") if size else -1
    if 0 <= files_end <= body_end:
        files = _file_links(data[:files_end])
        dirs = _dir_links(data[files_end:body_end])
        if files is not None and dirs is not None:
            return TreeLinks(files, *dirs)
    tree = decode_dirtree(data)
    return TreeLinks(
        [bytes(entry[1]) for entry in tree.files],
        [bytes(entry[1]) for entry in tree.dirs],
        [bytes(entry[2]) for entry in tree.dirs],
    )


def _ends(array: bytes) -> tuple[int, ...] | None:
    """Return the ends of an array's elements; None when their table makes no sense."""
    size = len(array)
    width = offset_width(size)
    table = int.from_bytes(array[size - width :], "little")
    count, rest = divmod(size - table, width)
    if rest or count <= 0:
        return None
    ends: tuple[int, ...] = struct.unpack_from(f"<{count}{_OFFSET_CODES[width]}", array, table)
    return ends if max(ends) <= table else None


def _file_links(array: bytes) -> list[bytes] | None:
    """Return the checksums in ``a(say)``; None when an element is not of the usual form."""
    found: list[bytes] = []
    if not array:
        return found
    ends = _ends(array)
    if ends is None:
        return None
    start = 0
    for end in ends:
        body_end = end - 1
        first = body_end - CHECKSUM_BYTES
        # The one offset of a short element is its last byte: where the name ends. Elements that
        # overlap or run backwards, or leave the array, cannot have the right one there.
        if first <= start or end - start > NARROW_BYTES or array[body_end] != first - start:
            return None
        found.append(array[first:body_end])
        start = end
    return found


def _dir_links(array: bytes) -> tuple[list[bytes], list[bytes]] | None:
    """Return the checksums in ``a(sayay)``; None when an element is not of the usual form."""
    trees: list[bytes] = []
    metas: list[bytes] = []
    if not array:
        return trees, metas
    ends = _ends(array)
    if ends is None:
        return None
    start = 0
    for end in ends:
        body_end = end - 2
        second = body_end - CHECKSUM_BYTES
        first = second - CHECKSUM_BYTES
        if (
            first <= start
            or end - start > NARROW_BYTES
            or array[body_end] != second - start
            or array[body_end + 1] != first - start
        ):
            return None
        trees.append(array[first:second])
        metas.append(array[second:body_end])
        start = end
    return trees, metas


def decode_commit_links(data: bytes) -> CommitLinks:
    """Return what a commit points to (errors as `decode_commit`; metadata is not checked)."""
    framing = find_framing(data)
    if framing is None:
        commit = decode_commit(data)
        return CommitLinks(commit.parent, commit.timestamp, commit.root_tree, commit.root_meta)
    parent = data[framing.metadata_end : framing.parent_end]
    tree = framing.tree
    meta = tree + CHECKSUM_BYTES
    return CommitLinks(
        Checksum(parent) if parent else None,
        _TIMESTAMP.unpack_from(data, tree - _TIMESTAMP.size)[0],
        Checksum(data[tree:meta]),
        Checksum(data[meta : meta + CHECKSUM_BYTES]),
    )
