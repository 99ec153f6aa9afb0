"""``/var`` of a stateroot: what it holds at first, and the stamp of its labelling."""

from __future__ import annotations

import errno

from pyostree.errors import doing
from pyostree.formats.objects import Checksum
from pyostree.fs.copy import copy_dir_metadata
from pyostree.fs.dir import Dir
from pyostree.fs.journal import JournalEntry
from pyostree.repo.repo import Repo
from pyostree.sysroot.tree import copy_subtree

_STAMP = ".ostree-selabeled"
_MESSAGE_ID = "da679b08acd34504b789d96f818ea781"
_NEW = ".var.new"
_LEGACY_LINKS = (("../run", "run"), ("../run/lock", "lock"))


def populate_var(repo: Repo, commit: Checksum, deployment: Dir, stateroot: Dir) -> None:
    """Fill an empty ``/var`` with what the commit has in its own; one in use is never touched."""
    with doing("Preparing deployment /var"):
        if not deployment.is_dir("var", follow=False):
            return
        with stateroot.open_dir("var", follow=False) as var:
            if var.list():
                return
            # Elsewhere first: were only half of it there after a crash, it would stay like that.
            stateroot.remove_tree(_NEW)
            copy_subtree(repo, commit, "/var", stateroot, _NEW)
            with stateroot.open_dir(_NEW, follow=False) as new:
                if not deployment.exists("usr/lib/tmpfiles.d"):
                    with doing("Legacy mode stateroot var initialization"):
                        _make_legacy(new)
                _move_in(stateroot, new, var)


def _move_in(stateroot: Dir, new: Dir, var: Dir) -> None:
    copy_dir_metadata(var, new)
    try:
        stateroot.rename(_NEW, "var")
    except OSError as err:
        if err.errno not in (errno.EBUSY, errno.EXDEV):
            raise
        # Something is mounted there.
        for name in new.list():
            new.rename(name, name, to_dir=var)
        stateroot.remove_dir(_NEW)


def _make_legacy(var: Dir) -> None:
    if var.make_dir("tmp", 0o1777, exist_ok=True):
        var.chmod("tmp", 0o1777)
    var.make_dir("lib", 0o777, exist_ok=True)
    var.make_dir("log", 0o755, exist_ok=True)
    for target, name in _LEGACY_LINKS:
        if not var.exists(name):
            var.symlink(target, name)


def stamp_var(stateroot: Dir) -> JournalEntry | None:
    """Note that ``/var`` needs no labelling any more.

    Returns:
        The message that tells of it, None when the stamp was there.
    """
    if stateroot.exists(f"var/{_STAMP}"):
        return None
    stateroot.replace_file(f"var/{_STAMP}", b"")
    return JournalEntry(f"Relabeling /var (no stamp file 'var/{_STAMP}' found)", _MESSAGE_ID)
