"""The checksum that a local file would have as an object, without storing it."""

from __future__ import annotations

import hashlib
import os
import stat

from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.file_header import FileHeader, content_checksum
from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.fs.xattr import Xattrs, read_path_xattrs


def checksum_entry(
    directory: Dir,
    name: str,
    *,
    with_xattrs: bool = True,
    uid: int | None = None,
    gid: int | None = None,
    status: os.stat_result | None = None,
) -> Checksum:
    """Return the checksum of a file or symlink, or of the metadata of anything else.

    Args:
        with_xattrs: whether xattrs count.
        uid: stands in for the real owner.
        gid: stands in for the real group.
        status: of `name`, if the caller has it.

    Raises:
        OSError: it cannot be read.
    """
    status = status or directory.stat(name)
    owner = status.st_uid if uid is None else uid
    group = status.st_gid if gid is None else gid
    mode = status.st_mode
    if stat.S_ISREG(mode):
        with InputFile.open(directory, name) as file:
            xattrs = file.xattrs() if with_xattrs else ()
            return content_checksum(FileHeader(owner, group, mode, "", xattrs), file.chunks())
    xattrs = read_path_xattrs(directory, name) if with_xattrs else ()
    if stat.S_ISLNK(mode):
        return content_checksum(FileHeader(owner, group, mode, directory.read_link(name), xattrs))
    if stat.S_ISDIR(mode):
        return checksum_dirmeta(owner, group, mode, xattrs)
    # No commit holds a device, socket or pipe, but two directories with some can be compared.
    return content_checksum(FileHeader(owner, group, mode, "", xattrs))


def checksum_dirmeta(uid: int, gid: int, mode: int, xattrs: Xattrs) -> Checksum:
    """Return the checksum of a directory's metadata object."""
    return Checksum(hashlib.sha256(encode_dirmeta(Dirmeta(uid, gid, mode, xattrs))).digest())
