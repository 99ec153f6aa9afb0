"""Extended attributes of files, links and directories.

Attributes are ``(name, value)`` pairs of bytes, names without their final NUL, sorted by name, the
canonical form of the object formats. Attributes with an empty value are left out, as the reference
does: the format has no way to tell them from missing ones.
"""

from __future__ import annotations

import errno
import os

from pyostree.fs.dir import Dir, system_call

Xattrs = tuple[tuple[bytes, bytes], ...]

_UNSUPPORTED = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def read_fd_xattrs(fd: int) -> Xattrs:
    """Return all attributes of an open file."""
    try:
        names = os.listxattr(fd)
    except OSError as err:
        if err.errno in _UNSUPPORTED:
            return ()
        err.add_note("flistxattr")
        raise
    return _values(fd, names, follow=True) if names else ()


def read_path_xattrs(directory: Dir, name: str) -> Xattrs:
    """Return all attributes of `name` in `directory`, of a link itself."""
    path = directory.proc_path(name)
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as err:
        if err.errno in _UNSUPPORTED:
            return ()
        err.add_note("llistxattr")
        raise
    return _values(path, names, follow=False) if names else ()


def _values(target: int | str, names: list[str], *, follow: bool) -> Xattrs:
    pairs = []
    for name in names:
        try:
            value = os.getxattr(target, name, follow_symlinks=follow)
        except OSError as err:
            if err.errno == errno.ENODATA:  # removed since it was listed
                continue
            err.add_note(f"getxattr({name})")
            raise
        if value:
            pairs.append((os.fsencode(name), value))
    return tuple(sorted(pairs))


def set_fd_xattrs(fd: int, xattrs: Xattrs) -> None:
    """Set attributes on an open file or directory; others that it has stay."""
    with system_call("fsetxattr"):
        for name, value in xattrs:
            os.setxattr(fd, name, value)


def set_path_xattrs(directory: Dir, name: str, xattrs: Xattrs) -> None:
    """Set attributes on `name` in `directory`, on a link itself."""
    if not xattrs:
        return
    path = directory.proc_path(name)
    with system_call("lsetxattr"):
        for key, value in xattrs:
            os.setxattr(path, key, value, follow_symlinks=False)


def read_fd_xattr(fd: int, name: str) -> bytes | None:
    """Return one attribute of an open file, or None when it has none of that name."""
    try:
        return os.getxattr(fd, name)
    except OSError as err:
        if err.errno in (errno.ENODATA, *_UNSUPPORTED):
            return None
        err.add_note(f"fgetxattr({name})")
        raise


def read_path_xattr(directory: Dir, name: str, attribute: str) -> bytes | None:
    """Return one attribute of `name` in `directory`, or None when it has none of that name."""
    try:
        return os.getxattr(directory.proc_path(name), attribute, follow_symlinks=False)
    except OSError as err:
        if err.errno in (errno.ENODATA, *_UNSUPPORTED):
            return None
        err.add_note(f"lgetxattr({attribute})")
        raise


def set_fd_xattr(fd: int, name: str, value: bytes) -> None:
    """Set one attribute of an open file."""
    with system_call(f"fsetxattr({name})"):
        os.setxattr(fd, name, value)
