"""Publishing: staged objects get their names in ``objects/``, commits last."""

from __future__ import annotations

import stat

from pyostree.errors import doing
from pyostree.fs.dir import Dir
from pyostree.fs.kernel import move_dir, rename_noreplace
from pyostree.fs.tempfile import TEMP_PREFIX
from pyostree.fs.xattr import read_fd_xattrs
from pyostree.repo.staging import PREFIX_DIGITS

_DEFAULT_ACL = b"system.posix_acl_default"


def publish_objects(staging: Dir, objects: Dir, *, sync: bool, is_own: bool = False) -> None:
    """Move all objects from a staging directory to ``objects/``; what exists there stays.

    Commits go last: whoever finds one, even after a crash, finds all that it consists of.

    Args:
        sync: whether the names must be on the disk when this returns.
        is_own: this process made everything in `staging`, whose directories may serve as they are.
    """
    prefixes = [
        prefix
        for prefix in staging.list()
        if len(prefix) == PREFIX_DIGITS and staging.is_dir(prefix, follow=False)
    ]
    moves_whole = is_own and _make_same_dirs(staging, objects)
    commits: dict[str, list[str]] = {}
    with doing("rename pending"):
        for prefix in prefixes:
            with staging.open_dir(prefix) as source:
                names = source.list()
            commits[prefix] = [name for name in names if name.endswith(".commit")]
            others = [name for name in names if name not in commits[prefix]]
            if moves_whole and not commits[prefix] and _move_whole(staging, objects, prefix, names):
                continue
            objects.make_dir(prefix, exist_ok=True)
            _move(staging, objects, prefix, others)
    if sync:
        # All of them: per-object-fsync and an earlier crash leave names that are not synced yet.
        _sync_names(objects, [name for name in objects.list() if len(name) == PREFIX_DIGITS])
    with doing("rename pending"):
        for prefix, names in commits.items():
            _move(staging, objects, prefix, names)
    if sync:
        _sync_names(objects, [prefix for prefix, names in commits.items() if names])


def _make_same_dirs(staging: Dir, objects: Dir) -> bool:
    """Tell whether a directory made in the one is as if it had been made in the other.

    With the setgid bit, or a default ACL, directories take after the one that they are made in.
    """
    if any(place.stat_self().st_mode & stat.S_ISGID for place in (staging, objects)):
        return False
    return not any(
        name == _DEFAULT_ACL
        for place in (staging, objects)
        for name, _ in read_fd_xattrs(place.fileno())
    )


def _move_whole(staging: Dir, objects: Dir, prefix: str, names: list[str]) -> bool:
    """Move ``XX/`` at once where there is none yet, as in a new repository; tell whether done."""
    if any(name.startswith(TEMP_PREFIX) for name in names):
        return False
    return move_dir(staging, prefix, objects)


def _move(staging: Dir, objects: Dir, prefix: str, names: list[str]) -> None:
    if not names:
        return
    with staging.open_dir(prefix) as source, objects.open_dir(prefix) as target:
        for name in names:
            if name.startswith(TEMP_PREFIX):  # a replacement that was interrupted
                continue
            if name.endswith(".commitmeta"):
                source.rename(name, name, to_dir=target)
            elif not rename_noreplace(source, name, target, name):
                source.remove(name)


def _sync_names(objects: Dir, prefixes: list[str]) -> None:
    if not prefixes:
        return
    with doing("fsync objdirs"):
        for prefix in prefixes:
            objects.sync_dir(prefix)
        objects.sync()
