"""Dirmeta objects, ``(uuua(ayay))``: owner, mode and xattrs of a directory, integers big-endian."""

from __future__ import annotations

import stat
import struct
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.xattrs import Xattrs, check_xattrs, decode_xattrs, encode_xattrs

_FIXED = struct.Struct(">III")


class Dirmeta(NamedTuple):
    """A decoded dirmeta object; `mode` has the file-type bits."""

    uid: int
    gid: int
    mode: int
    xattrs: Xattrs = ()


def encode_dirmeta(meta: Dirmeta) -> bytes:
    """Return the object's bytes."""
    return _FIXED.pack(meta.uid, meta.gid, meta.mode) + encode_xattrs(tuple(sorted(meta.xattrs)))


def decode_dirmeta(data: bytes) -> Dirmeta:
    """Return the fields of a dirmeta object.

    Raises:
        FormatError: too short (read as mode 0, like the reference does), not a directory's mode,
            or broken xattrs.
    """
    if len(data) < _FIXED.size:
        raise FormatError("Invalid directory metadata mode 0; not a directory")
    uid, gid, mode = _FIXED.unpack_from(data)
    if not stat.S_ISDIR(mode):
        raise FormatError(f"Invalid directory metadata mode {mode}; not a directory")
    if mode & ~(stat.S_IFDIR | 0o7777):
        raise FormatError(f"Invalid mode {mode}; invalid bits in mode")
    return Dirmeta(uid, gid, mode, decode_xattrs(data[_FIXED.size :]))


def check_dirmeta(data: bytes) -> None:
    """Raise `FormatError` unless `data` is a valid dirmeta object in normal form."""
    meta = decode_dirmeta(data)
    check_xattrs(meta.xattrs)
    if encode_dirmeta(meta) != data:
        raise FormatError("Not normal form")
