"""The three-way merge of ``/etc``: what the user changed goes on top of the new default.

The old default is the merge deployment's ``usr/etc``, what the user made of it its ``etc``. A file
is taken whole; contents are never merged.
"""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

from pyostree.errors import ConflictError, doing
from pyostree.fs.copy import copy_dir_metadata, copy_entry
from pyostree.fs.dir import Dir
from pyostree.fs.journal import JournalEntry
from pyostree.fs.resolve import open_dir_in_root

_CHUNK = 1 << 20
_MESSAGE_ID = "d3863baec13e4449ab0384684a8af3a7"


class EtcChanges(NamedTuple):
    """How a directory differs from its default: paths relative to it, sorted.

    A removed or replaced directory is one path; an added one and all below it are one path each.
    """

    modified: tuple[str, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]

    def entry(self) -> JournalEntry:
        """Return the message that announces a merge."""
        counts = {
            "MODIFIED": len(self.modified),
            "REMOVED": len(self.removed),
            "ADDED": len(self.added),
        }
        listed = ", ".join(f"{count} {what.lower()}" for what, count in counts.items())
        return JournalEntry(
            f"Copying /etc changes: {listed}",
            _MESSAGE_ID,
            fields={f"ETC_N_{what}": str(count) for what, count in counts.items()},
        )


def compare_etc(default: Dir, current: Dir) -> EtcChanges:
    """Return what was changed in `current`: type, owner, mode, content or link target.

    Times, extended attributes and hard links do not count.
    """
    modified: list[str] = []
    removed: list[str] = []
    added: list[str] = []
    stack = [""]
    with doing("While computing configuration diff"):
        while stack:
            prefix = stack.pop()
            with _open_below(default, prefix) as old, _open_below(current, prefix) as new:
                names = set(old.list())
                for name in old.list():
                    status = new.try_stat(name)
                    if status is None:
                        removed.append(prefix + name)
                        continue
                    if _differs(old, new, name, old.stat(name), status):
                        modified.append(prefix + name)
                    if old.is_dir(name, follow=False) and stat_bits.S_ISDIR(status.st_mode):
                        stack.append(f"{prefix}{name}/")
                for name in new.list():
                    if name not in names:
                        added += _list_all(new, name, prefix)
    return EtcChanges(tuple(sorted(modified)), tuple(sorted(removed)), tuple(sorted(added)))


def _open_below(root: Dir, prefix: str) -> Dir:
    return root.walk(prefix)


def _list_all(directory: Dir, name: str, prefix: str) -> list[str]:
    found = []
    stack = [name]
    while stack:
        path = stack.pop()
        found.append(prefix + path)
        if directory.is_dir(path, follow=False):
            with directory.walk(path) as below:
                stack += [f"{path}/{entry}" for entry in below.list()]
    return found


def _differs(old: Dir, new: Dir, name: str, was: os.stat_result, now: os.stat_result) -> bool:
    if stat_bits.S_IFMT(was.st_mode) != stat_bits.S_IFMT(now.st_mode):
        return True
    if (was.st_uid, was.st_gid) != (now.st_uid, now.st_gid):
        return True
    if stat_bits.S_ISLNK(was.st_mode):
        return old.read_link(name) != new.read_link(name)
    if was.st_mode != now.st_mode:
        return True
    if not stat_bits.S_ISREG(was.st_mode):
        return False
    return was.st_size != now.st_size or not _same_content(old, new, name)


def _same_content(old: Dir, new: Dir, name: str) -> bool:
    with ExitStack() as stack:
        fds = []
        for directory in (old, new):
            fd = directory.open_read(name, follow=False)
            stack.callback(os.close, fd)
            fds.append(fd)
        while True:
            one, other = (os.read(fd, _CHUNK) for fd in fds)
            if one != other:
                return False
            if not one:
                return True


class EtcMerge:
    """Puts changes of the merge deployment's ``etc`` into a new deployment's.

    Args:
        current: the merge deployment's ``etc``.
        deployment: the new deployment's root, whose ``etc`` is a copy of the new default.
        on_skip: told each path that is no file, link or directory and therefore left out.
    """

    def __init__(
        self,
        current: Dir,
        deployment: Dir,
        *,
        xattrs: bool = True,
        on_skip: Callable[[str], None] | None = None,
    ) -> None:
        self._current = current
        self._deployment = deployment
        self._xattrs = xattrs
        self._on_skip = on_skip

    def apply(self, changes: EtcChanges) -> None:
        """Apply all removals, then modifications, then additions.

        Raises:
            ConflictError: a file that the user changed is a directory in the new default.
        """
        for path in changes.removed:
            self._remove(path)
        copied = ""  # the last directory copied whole, with a final slash
        for path in (*changes.modified, *changes.added):
            if copied and path.startswith(copied):
                continue
            if self._copy(path):
                copied = f"{path}/"

    def _open_target(self, parent: str) -> Dir:
        # A link in the new default is followed, but only inside of the deployment.
        return open_dir_in_root(self._deployment, f"etc/{parent}")

    def _remove(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        try:
            target = self._open_target(parent)
        except (FileNotFoundError, NotADirectoryError):
            return
        with target:
            target.remove_tree(name)

    def _copy(self, path: str) -> bool:
        """Copy one changed path; return whether that was a directory with all below it."""
        parent, _, name = path.rpartition("/")
        if parent:
            self._make_parent(parent)
        with self._current.walk(parent) as source, self._open_target(parent) as target:
            mode = source.stat(name).st_mode
            there = target.try_stat(name)
            if there is not None and stat_bits.S_ISDIR(there.st_mode):
                if not stat_bits.S_ISDIR(mode):
                    raise ConflictError(
                        f"Modified config file newly defaults to directory '{path}', cannot merge"
                    )
                return False
            if there is not None:
                target.remove(name)
            copy_entry(source, name, target, name, xattrs=self._xattrs, on_skip=self._skipped(path))
            return stat_bits.S_ISDIR(mode)

    def _skipped(self, path: str) -> Callable[[str], None]:
        base = path[: len(path) - len(os.path.basename(path))]

        def tell(below: str) -> None:
            if self._on_skip is not None:
                self._on_skip(base + below)

        return tell

    def _make_parent(self, path: str) -> None:
        """Make sure that the directory at `path` exists, like the user's one."""
        self._create_missing(path)
        with self._current.walk(path) as source, self._open_target(path) as target:
            copy_dir_metadata(source, target, xattrs=self._xattrs)

    def _create_missing(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        try:
            self._open_target(path).close()
        except FileNotFoundError:
            if parent:
                self._create_missing(parent)
            with self._open_target(parent) as above:
                above.make_dir(name, 0o700)
            with self._current.walk(path) as source, self._open_target(path) as target:
                copy_dir_metadata(source, target, xattrs=self._xattrs)
