"""Dirtree objects, ``(a(say)a(sayay))``: the names in one directory with their checksums.

The first array lists files ``(name, content)``, the second subdirectories ``(name, dirtree,
dirmeta)``, each sorted by the bytes of the name. Nothing in it is aligned, so that slices suffice.
"""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.dirtree_check import is_plainly_valid
from pyostree.formats.framing import (
    NARROW_BYTES,
    decode_text,
    join_array,
    offset_width,
    split_array,
    with_offsets,
)
from pyostree.formats.objects import CHECKSUM_BYTES, Checksum, check_filename, checksum_from_variant

# An entry of the first array: name, NUL, checksum, and the offset of the checksum.
_FILE_TAIL_BYTES = CHECKSUM_BYTES + 1
_MIN_NAME_BYTES = 2
_MAX_NARROW_END = NARROW_BYTES - _FILE_TAIL_BYTES
_new_bytes = bytes.__new__  # the length is known here, `Checksum` need not check it again

FileEntry = tuple[str, Checksum]
DirEntry = tuple[str, Checksum, Checksum]


class Dirtree(NamedTuple):
    """A decoded dirtree.

    Attributes:
        files: (name, checksum of the content object).
        dirs: (name, checksum of the dirtree, checksum of the dirmeta).
    """

    files: tuple[FileEntry, ...] = ()
    dirs: tuple[DirEntry, ...] = ()


def encode_dirtree(tree: Dirtree) -> bytes:
    """Return the object's bytes; entries are sorted by name here."""
    files = [
        _encode_entry(raw_name, checksum)
        for raw_name, checksum in sorted((name.encode("utf-8"), sum_) for name, sum_ in tree.files)
    ]
    dirs = [
        _encode_entry(raw_name, content, meta)
        for raw_name, content, meta in sorted(
            (name.encode("utf-8"), content, meta) for name, content, meta in tree.dirs
        )
    ]
    first = join_array(files)
    return with_offsets(first + join_array(dirs), [len(first)])


def _encode_entry(raw_name: bytes, checksum: bytes, meta: bytes = b"") -> bytes:
    end = len(raw_name) + 1
    body = b"%b\0%b%b" % (raw_name, checksum, meta)
    return with_offsets(body, [end + CHECKSUM_BYTES, end] if meta else [end])


def decode_dirtree(data: bytes) -> Dirtree:
    """Return the entries of a dirtree; their names are checked, their order is not.

    Raises:
        FormatError: broken framing.
        InvalidNameError: a bad file name, or a checksum that has not 32 bytes.
    """
    size = len(data)
    width = offset_width(size)
    body_end = size - width
    files_end = int.from_bytes(data[body_end:], "little") if size else 0
    if body_end < 0 or files_end > body_end:
        # The reference reads the damaged part as empty and stumbles over its checksums.
        raise FormatError("Invalid checksum of length 0 expected 32")
    files = _decode_files(data[:files_end])
    dirs = tuple([_decode_dir(raw) for raw in split_array(data[files_end:body_end])])
    return Dirtree(files, dirs)


def _decode_files(data: bytes) -> tuple[FileEntry, ...]:
    """Decode the first array; entries that are as they nearly always are take no further call."""
    entries = []
    for raw in split_array(data):
        end = len(raw) - _FILE_TAIL_BYTES
        if end < _MIN_NAME_BYTES or end > _MAX_NARROW_END or raw[-1] != end or raw[end - 1] != 0:
            entries.append(_decode_file(raw))
            continue
        try:
            name = str(raw[: end - 1], "utf-8")
        except UnicodeDecodeError:
            raise FormatError("Not normal form: string is not UTF-8") from None
        if "/" in name or "\0" in name or name in (".", ".."):
            entries.append(_decode_file(raw))
        else:
            entries.append((name, _new_bytes(Checksum, raw[end:-1])))
    return tuple(entries)


def _decode_file(raw: bytes) -> FileEntry:
    size = len(raw)
    width = 1 if size <= NARROW_BYTES else offset_width(size)
    body_end = size - width
    name_end = int.from_bytes(raw[body_end:], "little")
    if body_end < 0 or name_end > body_end:
        raise FormatError("Not normal form: bad dirtree entry")
    name = decode_text(raw[:name_end])
    _check_entry_name(name)
    checksum = raw[name_end:body_end]
    if len(checksum) != CHECKSUM_BYTES:
        checksum_from_variant(checksum)
    return name, Checksum(checksum)


def _decode_dir(raw: bytes) -> DirEntry:
    size = len(raw)
    width = 1 if size <= NARROW_BYTES else offset_width(size)
    body_end = size - 2 * width
    if body_end < 0:
        raise FormatError("Not normal form: bad dirtree entry")
    tree_end = int.from_bytes(raw[body_end : body_end + width], "little")
    name_end = int.from_bytes(raw[body_end + width :], "little")
    if not name_end <= tree_end <= body_end:
        raise FormatError("Not normal form: bad dirtree entry")
    name = decode_text(raw[:name_end])
    _check_entry_name(name)
    return (
        name,
        checksum_from_variant(raw[name_end:tree_end]),
        checksum_from_variant(raw[tree_end:body_end]),
    )


def _check_entry_name(name: str) -> None:
    # Names become paths in a checkout: `..` or a slash would leave the destination.
    if not name or "/" in name or name in (".", ".."):
        check_filename(name)


def check_dirtree(data: bytes) -> None:
    """Raise unless `data` is a valid dirtree in normal form, its names being distinct.

    Raises:
        FormatError: broken framing, not in normal form, or a name that stands in it twice.
        InvalidNameError: a bad file name, or a checksum that has not 32 bytes.
    """
    if not is_plainly_valid(data):
        _check_entries(data)


def _check_entries(data: bytes) -> None:
    tree = decode_dirtree(data)
    names = [entry[0] for entry in tree.files] + [entry[0] for entry in tree.dirs]
    if len(set(names)) != len(names):
        raise FormatError("Not normal form: a dirtree names an entry twice")
    if encode_dirtree(tree) != data:
        raise FormatError("Not normal form")
