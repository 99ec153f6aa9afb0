"""Paths inside another root: links on the way are followed as if that root were ``/``.

Following a link of a foreign tree the ordinary way would leave the tree and touch the host.
"""

from __future__ import annotations

import errno
import os
import stat as stat_bits

from pyostree.fs.dir import Dir, read_all

_MAX_LINKS = 40  # as the kernel


def open_file_in_root(root: Dir, path: str) -> int:
    """Open the file at `path` for reading; the caller closes the descriptor.

    Raises:
        OSError: as `open_dir_in_root`; EISDIR, ENXIO for what is no regular file.
    """
    for _ in range(_MAX_LINKS):
        base, _, name = path.rpartition("/")
        with open_dir_in_root(root, base) as directory:
            status = directory.stat(name)
            if not stat_bits.S_ISLNK(status.st_mode):
                if not stat_bits.S_ISREG(status.st_mode):  # opening a pipe would block
                    code = errno.EISDIR if stat_bits.S_ISDIR(status.st_mode) else errno.ENXIO
                    raise OSError(code, os.strerror(code), path)
                return directory.open_read(name, follow=False)
            target = directory.read_link(name)
        path = target if target.startswith("/") else f"{base}/{target}"
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def read_file_in_root(root: Dir, path: str, *, max_bytes: int) -> bytes:
    """Return the content of the file at `path`.

    Raises:
        OSError: as `open_file_in_root`; EFBIG when there are more than `max_bytes`.
    """
    fd = open_file_in_root(root, path)
    try:
        return read_all(fd, max_bytes=max_bytes)
    finally:
        os.close(fd)


def is_file_in_root(root: Dir, path: str) -> bool:
    """Tell whether `path` leads to a regular file."""
    try:
        os.close(open_file_in_root(root, path))
    except OSError as err:
        if err.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
        return False
    return True


def is_dir_in_root(root: Dir, path: str) -> bool:
    """Tell whether `path` leads to a directory."""
    try:
        open_dir_in_root(root, path).close()
    except OSError as err:
        if err.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        return False
    return True


def open_dir_in_root(root: Dir, path: str) -> Dir:
    """Open the directory at `path`, with `root` as ``/`` for links and ``..``.

    Raises:
        OSError: ENOENT, ENOTDIR, or ELOOP.
    """
    todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    trail = [root.duplicate()]
    links = 0
    try:
        while todo:
            part = todo.pop()
            if part == "..":
                if len(trail) > 1:
                    trail.pop().close()
                continue
            status = trail[-1].stat(part)
            if not stat_bits.S_ISLNK(status.st_mode):
                trail.append(trail[-1].open_dir(part, follow=False))
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = trail[-1].read_link(part)
            if target.startswith("/"):
                for directory in trail[1:]:
                    directory.close()
                del trail[1:]
            todo += [piece for piece in reversed(target.split("/")) if piece not in ("", ".")]
        return trail.pop()
    finally:
        for directory in trail:
            directory.close()
