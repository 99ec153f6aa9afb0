"""`check_stick_repo`: nothing in a repository that is to be written to may lead elsewhere.

Whoever fills a stick is often root, and whoever made it may be anybody. In what writing touches,
each entry must be a directory on the stick itself or a regular file. Symbolic links are let pass
only where they are content of ours: aliases of refs, and files of trees that are links.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator

from pyostree.errors import OstreeError
from pyostree.fs.dir import Dir
from pyostree.watch import UNWATCHED, Watch

_WRITTEN = ("delta-indexes", "deltas", "extensions", "objects", "refs", "state", "tmp")
_MAX_DEPTH = 64
_WATCH_EVERY = 1000
# In a bare repository; it is never followed there.
_LINK_OF_A_TREE = re.compile(r"(?:objects|tmp/staging-[^/]*)/[0-9a-f]{2}/[0-9a-f]{62}\.file\Z")


def check_stick_repo(directory: Dir, watch: Watch = UNWATCHED) -> None:
    """Raise `OstreeError`, naming the entry, unless all of a repository is its own.

    Raises:
        OSError: a part of it cannot be looked at.
    """
    device = directory.stat_self().st_dev
    waiting = [""]
    while waiting:
        path = waiting.pop()
        with directory.walk(path) as current:
            if current.stat_self().st_dev != device:
                raise _strange(path)
            for name, entry in _watched_entries(current, path, watch):
                if entry.is_dir(follow_symlinks=False):
                    if path or name in _WRITTEN:
                        waiting.append(name)
                elif not (
                    entry.is_file(follow_symlinks=False)
                    or (entry.is_symlink() and _may_be_link(directory, name))
                ):
                    raise _strange(name)
        if path.count("/") > _MAX_DEPTH:
            raise _strange(path)


def _watched_entries(
    current: Dir, path: str, watch: Watch
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    for number, entry in enumerate(current.scan()):
        if number % _WATCH_EVERY == 0:
            watch.check()
        yield f"{path}/{entry.name}" if path else entry.name, entry


def _may_be_link(directory: Dir, path: str) -> bool:
    if _LINK_OF_A_TREE.match(path):
        return True
    # An alias of a ref, be it gone. No directory below refs/ leads elsewhere, so that the target is
    # where its text says.
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), directory.read_link(path)))
    if not all(name.startswith("refs/") for name in (path, target)):
        return False
    return not directory.exists(target) or directory.is_file(target, follow=False)


def _strange(path: str) -> OstreeError:
    return OstreeError(f"{path} of the destination repository is not its own directory or file")
