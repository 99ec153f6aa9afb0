"""``/etc`` of a new deployment: first a copy of its default, then the user's changes."""

from __future__ import annotations

from pyostree.errors import ConflictError, doing
from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.fs.journal import note_journal
from pyostree.repo.repo import Repo
from pyostree.sysroot.etc_merge import EtcMerge, compare_etc
from pyostree.sysroot.sysroot import Sysroot
from pyostree.sysroot.tree import copy_subtree

_UPDATED_STAMP = ".updated"


def prepare_etc(repo: Repo, commit: Checksum, deployment: Dir) -> None:
    """Make ``etc`` of a deployment a copy of its ``usr/etc``.

    Raises:
        ConflictError: the commit has files in both.
    """
    with doing("Preparing /etc"):
        has_etc = deployment.is_dir("etc", follow=False)
        has_default = deployment.is_dir("usr/etc", follow=False)
        is_used = has_etc and bool(_names(deployment, "etc"))
        if has_default and is_used:
            raise ConflictError("Tree contains both /etc and /usr/etc")
        if has_default:
            if has_etc:
                deployment.remove_dir("etc")
            copy_subtree(repo, commit, "/usr/etc", deployment, "etc")
        elif is_used:
            # A tree of the old kind, where the default lies in /etc. The reference means to serve
            # it too, but then looks for /usr/etc in the commit.
            deployment.rename("etc", "usr/etc")
            copy_subtree(repo, commit, "/etc", deployment, "etc")


def _names(directory: Dir, name: str) -> list[str]:
    with directory.open_dir(name, follow=False) as below:
        return below.list()


def merge_etc(sysroot: Sysroot, merge_root: Dir, deployment: Dir) -> None:
    """Put what the user changed in the merge deployment's ``etc`` into the new one's.

    Raises:
        ConflictError: a changed file is a directory in the new default.
    """
    with (
        doing("During /etc merge"),
        merge_root.open_dir("usr/etc") as default,
        merge_root.open_dir("etc") as current,
        deployment.open_dir("etc"),
    ):
        changes = compare_etc(default, current)
        sysroot.tell(changes.entry())
        merge = EtcMerge(
            current, deployment, xattrs=sysroot.settings.copy_xattrs, on_skip=_note_skipped
        )
        merge.apply(changes)


def _note_skipped(path: str) -> None:
    note_journal(f"Ignoring non-regular/non-symlink file found during /etc merge: {path}")


def clear_updated_stamps(deployment: Dir, var: Dir) -> None:
    """Let services that act once after an update know that there was one."""
    if deployment.is_dir("etc"):
        deployment.remove(f"etc/{_UPDATED_STAMP}", missing_ok=True)
    var.remove(_UPDATED_STAMP, missing_ok=True)
