"""Headers of many content objects with as few system calls as it takes, for listings.

A glance handles what is common and returns None for whatever else there is, or goes wrong: the
store's general way of reading then deals with it, and has the words for its errors.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from stat import S_ISLNK, S_ISREG

from pyostree.errors import OstreeError
from pyostree.formats.file_header import (
    PREFIX_BYTES,
    FileHeader,
    decode_archive_header,
    decode_bare_user_meta,
)
from pyostree.formats.objects import Checksum, loose_path
from pyostree.fs.file import read_start
from pyostree.fs.xattr import read_path_xattr, read_path_xattrs
from pyostree.repo.modes import RepoMode
from pyostree.repo.store.base import ObjectStore

Header = tuple[FileHeader, int]
Glance = Callable[[Checksum], Header]

# A header has some 40 bytes, unless there is a long symlink target or large xattrs.
_START_BYTES = 512
_META_XATTR = "user.ostreemeta"


def header_reader(store: ObjectStore, *, with_xattrs: bool) -> Glance:
    """Return a function that gives header and content size of an object, quickly.

    Args:
        with_xattrs: otherwise the header's xattrs may be left out.

    The function raises what `ObjectStore.read_header` does.
    """
    glance = _glance_for(store, with_xattrs=with_xattrs)
    if glance is None:
        return store.read_header

    def read(checksum: Checksum) -> Header:
        try:
            found = glance(store, checksum)
        except (OSError, OstreeError, struct.error):
            found = None
        return store.read_header(checksum) if found is None else found

    return read


def _glance_for(
    store: ObjectStore, *, with_xattrs: bool
) -> Callable[[ObjectStore, Checksum], Header | None] | None:
    match store.settings.mode:
        case RepoMode.ARCHIVE:
            return _archive
        case RepoMode.BARE_USER:
            return _bare_user
        case RepoMode.BARE_USER_ONLY:
            return _bare_user_only
        case RepoMode.BARE:
            is_plain = not with_xattrs or store.settings.disable_xattrs
            return _bare_plain if is_plain else _bare_xattrs
        case RepoMode.BARE_SPLIT_XATTRS:
            return None if with_xattrs else _bare_plain


def _archive(store: ObjectStore, checksum: Checksum) -> Header | None:
    start = read_start(store.objects, loose_path(checksum, "filez"), _START_BYTES)
    end = PREFIX_BYTES + int.from_bytes(start[:4], "big")
    if not PREFIX_BYTES < end <= len(start):
        return None
    header, size = decode_archive_header(start[PREFIX_BYTES:end])
    return header, 0 if header.is_symlink else size


def _bare_plain(store: ObjectStore, checksum: Checksum) -> Header | None:
    path = loose_path(checksum, "file")
    status = store.objects.stat(path)
    if S_ISREG(status.st_mode):
        header = FileHeader(status.st_uid, status.st_gid, status.st_mode, "", ())
        return header, status.st_size
    if not S_ISLNK(status.st_mode):
        return None
    target = store.objects.read_link(path)
    return FileHeader(status.st_uid, status.st_gid, status.st_mode, target, ()), 0


def _bare_xattrs(store: ObjectStore, checksum: Checksum) -> Header | None:
    found = _bare_plain(store, checksum)
    if found is None:
        return None
    xattrs = read_path_xattrs(store.objects, loose_path(checksum, "file"))
    return (found[0]._replace(xattrs=xattrs), found[1]) if xattrs else found


def _bare_user(store: ObjectStore, checksum: Checksum) -> Header | None:
    path = loose_path(checksum, "file")
    status = store.objects.stat(path)
    raw = read_path_xattr(store.objects, path, _META_XATTR)
    if raw is None or not S_ISREG(status.st_mode):
        return None
    header = decode_bare_user_meta(raw)
    return (header, status.st_size) if S_ISREG(header.mode) else None


def _bare_user_only(store: ObjectStore, checksum: Checksum) -> Header | None:
    found = _bare_plain(store, checksum)
    return None if found is None else (found[0]._replace(uid=0, gid=0), found[1])
