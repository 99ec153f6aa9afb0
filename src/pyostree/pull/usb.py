"""`create_usb`: copy refs of collections to a stick, where `MountFinder` finds them.

The repository on the stick is an archive, with the refs in ``refs/mirrors``, and a summary that is
not signed: whoever pulls from it checks the commits. Where it is not in a place that is looked at
anyway, a link to it is made in ``.ostree/repos.d``.

A stick may come from anybody, and this usually runs as root: directories are made and followed only
below the mount, and a repository that is there already is opened only after a look at all of it
(`pyostree.pull.stick_check`), without the parent that it names. Who can change files on the stick
in the meantime is not guarded against.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyostree.errors import ConflictError, OstreeError, RefNotFoundError, doing
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.formats.refspec import CollectionRef, check_collection_id, check_ref_name
from pyostree.fs.dir import Dir
from pyostree.fs.mounts import real_path
from pyostree.pull.finders.mount import REPOS_DIR
from pyostree.pull.from_remote import pull_at
from pyostree.pull.options import PullOptions, Wanted
from pyostree.pull.progress import PullResult
from pyostree.pull.site import PullSite, Report
from pyostree.pull.stick_check import check_stick_repo
from pyostree.remote.remotes import FILE_URL, Remotes
from pyostree.repo.layout import create_layout
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo
from pyostree.repo.summary import regenerate_summary
from pyostree.watch import UNWATCHED, Watch

DEFAULT_DESTINATION = ".ostree/repo"
_NEEDS_NO_LINK = (DEFAULT_DESTINATION, "ostree/repo")
_DIR_MODE = 0o755
_MAX_LINKS = 100


class DestinationError(ConflictError):
    """The destination is not where a stick's repository may be."""


class UsbOptions(NamedTuple):
    """How to fill a stick.

    Attributes:
        destination: path of the repository on the stick.
        disable_fsync: do not wait for data to reach the stick.
    """

    destination: str = DEFAULT_DESTINATION
    disable_fsync: bool = False


DEFAULT_USB_OPTIONS = UsbOptions()


def create_usb(
    repo: Repo,
    mount_path: str,
    refs: Mapping[CollectionRef, Checksum | None],
    options: UsbOptions = DEFAULT_USB_OPTIONS,
    report: Report | None = None,
    watch: Watch = UNWATCHED,
) -> PullResult:
    """Copy refs with their commits to a repository on a stick, which is created if need be.

    Args:
        mount_path: where the stick is mounted.
        refs: what to copy, each with a collection; the commit, or None for the one that it has.
        report: called now and then with the progress.
        watch: may cancel.

    Raises:
        DestinationError: the destination is outside of the stick, or the source itself.
        RefNotFoundError: there is no such ref; nothing is copied then.
        OstreeError, OSError: refs on the stick are unchanged.
    """
    with Dir.at(mount_path) as mount:
        for ref in refs:
            check_collection_id(ref.collection_id or "")
            check_ref_name(ref.ref)
        parts = _destination_parts(mount, options.destination)
        _check_is_other(repo, mount.try_stat("/".join(parts), follow=True))
        wanted = _resolve(repo, refs)
        with _open_destination(repo, mount, parts, watch) as target:
            pull_options = PullOptions(mirror=True, disable_fsync=options.disable_fsync)
            site = PullSite(target, report, watch)
            result = pull_at(site, f"{FILE_URL}{_quoted(repo)}", wanted, pull_options)
            regenerate_summary(target)
            if "/".join(parts) not in _NEEDS_NO_LINK:
                _add_link(mount, target, parts)
    return result


def _resolve(repo: Repo, refs: Mapping[CollectionRef, Checksum | None]) -> list[Wanted]:
    """Return what to pull: commits of the refs themselves, a summary might be older."""
    listed = repo.refs.list_collections(repo.config.collection_id, Remotes.load(repo).collections())
    wanted = []
    for ref, commit in refs.items():
        text = listed.get(ref)
        if commit is None and text is None:
            raise RefNotFoundError(f"Collection–ref ({ref.collection_id}, {ref.ref}) not found")
        wanted.append(Wanted(ref.ref, commit or parse_checksum(text or ""), ref.collection_id))
    return wanted


def _quoted(repo: Repo) -> str:
    from urllib.parse import quote

    return quote(repo.path, errors="surrogateescape")


# -- the place on the stick --------------------------------------------------------------


def _destination_parts(mount: Dir, destination: str) -> list[str]:
    """Return the components of the destination below the mount."""
    if destination.startswith("/"):
        destination = os.path.normpath(destination)
        for start in (real_path(mount), os.path.abspath(mount.label)):
            if destination.startswith(f"{start}/"):
                destination = os.path.relpath(destination, start)
                break
        else:
            raise _outside()
    parts = [part for part in destination.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise _outside()
    return parts


def _outside() -> DestinationError:
    return DestinationError("--destination-repo must be a descendent of MOUNT-PATH")


def _make_dirs(mount: Dir, parts: Sequence[str]) -> Dir:
    """Open a directory on the stick, creating it; links count while they stay on the stick."""
    device = mount.stat_self().st_dev
    inside = f"{real_path(mount).rstrip('/')}/"
    current = mount.duplicate()
    for number, part in enumerate(parts, 1):
        with current, doing("/".join(parts[:number])):
            current.make_dir(part, _DIR_MODE, exist_ok=True)
            current = current.open_dir(part)
        if current.stat_self().st_dev != device or not real_path(current).startswith(inside):
            current.close()
            raise _outside()
    return current


def _open_destination(source: Repo, mount: Dir, parts: Sequence[str], watch: Watch) -> Repo:
    with _make_dirs(mount, parts) as directory:
        _check_is_other(source, directory.stat_self())
        check_stick_repo(directory, watch)
        with doing("Creating repo"):
            create_layout(directory, ".", RepoMode.ARCHIVE, None)
        return Repo.open_foreign(directory.duplicate(), real_path(directory), is_writable=True)


def _check_is_other(source: Repo, status: os.stat_result | None) -> None:
    own = source.dir.stat_self()
    if status is not None and (own.st_dev, own.st_ino) == (status.st_dev, status.st_ino):
        raise DestinationError("--destination-repo must not be the source repository")


def _add_link(mount: Dir, target: Repo, parts: Sequence[str]) -> None:
    """Make the repository known in ``repos.d``, unless it is already."""
    own = target.dir.stat_self()
    with _make_dirs(mount, REPOS_DIR.split("/")) as directory:
        for name in directory.list():
            status = directory.try_stat(name, follow=True)
            if status is not None and (status.st_dev, status.st_ino) == (own.st_dev, own.st_ino):
                return
        for number in range(_MAX_LINKS):
            name = f"{number:02}-generated"
            if directory.exists(name):
                continue
            try:
                directory.symlink(f"../../{'/'.join(parts)}", name)
            except FileExistsError:
                continue
            if target.fsync:
                directory.sync()
            return
    raise OstreeError("Could not find an unused symlink name for the repository")
