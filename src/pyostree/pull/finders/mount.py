"""`MountFinder`: repositories on mounted volumes, such as sticks that ``create-usb`` has filled.

```
.ostree/repos.d/*       any number, mostly links, in the order of their names
.ostree/repo
ostree/repo
var/lib/flatpak/repo
```

A volume is whatever somebody has plugged in. Of it only directories on the very same file system
are looked at, nothing on it is written to or executed, and all that is read has a limit.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice

from pyostree.errors import OstreeError, describe
from pyostree.formats.mountinfo import Mount
from pyostree.formats.objects import Checksum
from pyostree.formats.refspec import CollectionRef
from pyostree.fs.dir import Dir
from pyostree.fs.mounts import real_path
from pyostree.pull.finders.base import FinderResult, Search
from pyostree.pull.finders.volumes import list_volumes, open_volume
from pyostree.remote.dynamic import DynamicRemote, dynamic_remote
from pyostree.remote.remotes import FILE_URL
from pyostree.repo.parallel import run_with_deadline
from pyostree.repo.repo import Repo

PRIORITY = 50
REPOS_DIR = ".ostree/repos.d"
KNOWN_PLACES = (".ostree/repo", "ostree/repo", "var/lib/flatpak/repo")
_MAX_ENTRIES = 10_000  # of repos.d that are sorted at all
_MAX_REPOS = 100
_MAX_THREADS = 8
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_log = logging.getLogger(__name__)

ListVolumes = Callable[[], Sequence[Mount]]


class MountFinder:
    """Finds refs on mounted volumes.

    Args:
        volumes: lists the volumes; None for those of whoever runs this process.
    """

    name = "OstreeRepoFinderMount"

    def __init__(self, volumes: ListVolumes | None = None) -> None:
        self._volumes = list_volumes if volumes is None else volumes

    def find(self, search: Search) -> Sequence[FinderResult]:
        """Return the repositories that have some of the refs (see `pyostree.pull.finders.base`).

        A volume that does not answer in time, such as a dead disk, is left out.

        Raises:
            OSError: the kernel does not tell what is mounted.
        """
        jobs = [partial(_scan_volume, search, mount) for mount in self._volumes()]
        found = run_with_deadline(
            jobs, threads=_MAX_THREADS, timeout_s=search.timeout_s, watch=search.watch
        )
        return [result for results in found for result in results or ()]


def _scan_volume(search: Search, mount: Mount) -> list[FinderResult]:
    try:
        root = open_volume(mount)
        if root is None:
            _log.debug("Ignoring mount ‘%s’ as another one hides it", mount.path)
            return []
        with root, ExitStack() as opened:
            repos = []
            for repo in _open_repos(search, root):
                repos.append(opened.enter_context(repo))
            return _results(search, repos)
    except (OstreeError, OSError) as err:
        _log.debug("Ignoring mount ‘%s’: %s", mount.path, describe(err))
        return []


def _open_repos(search: Search, root: Dir) -> Iterator[Repo]:
    """Yield the repositories of a volume, each once."""
    device = root.stat_self().st_dev
    own = search.repo.dir.stat_self()
    seen = {(own.st_dev, own.st_ino)}
    for path in islice(chain(_listed_places(root), KNOWN_PLACES), _MAX_REPOS):
        try:
            directory = root.open_dir(path)
            status = directory.stat_self()
            if status.st_dev != device or (status.st_dev, status.st_ino) in seen:
                directory.close()
                continue
            seen.add((status.st_dev, status.st_ino))
            yield Repo.open_foreign(directory, _checked_path(directory))
        except (OstreeError, OSError) as err:
            _log.debug(
                "Ignoring repository ‘%s’ on mount ‘%s’ as it could not be opened: %s",
                *(path, root.label, describe(err)),
            )


def _checked_path(directory: Dir) -> str:
    """Return where a directory lies.

    Raises:
        OstreeError: its path would forge lines or colours where it is printed.
    """
    path = real_path(directory)
    if _CONTROL.search(path):
        raise OstreeError(f"control characters in the path {path!r}")
    return path


def _listed_places(root: Dir) -> list[str]:
    try:
        with root.open_dir(REPOS_DIR) as directory:
            names = [entry.name for entry in islice(directory.scan(), _MAX_ENTRIES)]
    except OSError:
        return []
    names.sort(key=lambda name: name.encode("utf-8", "surrogateescape"))
    return [f"{REPOS_DIR}/{name}" for name in names]


def _results(search: Search, repos: Sequence[Repo]) -> list[FinderResult]:
    found: dict[DynamicRemote, dict[CollectionRef, Checksum | None]] = {}
    keyrings = search.keyrings()
    for ref in search.refs:
        collection_id = ref.collection_id
        if collection_id is None or collection_id not in keyrings:
            continue
        for repo in repos:
            commit = _read_ref(repo, ref)
            if commit is not None:
                remote = dynamic_remote(
                    f"{FILE_URL}{repo.path}", keyrings[collection_id], collection_id
                )
                found.setdefault(remote, {})[ref] = commit
                break
    return [
        FinderResult(remote, MountFinder.name, PRIORITY, refs) for remote, refs in found.items()
    ]


def _read_ref(repo: Repo, ref: CollectionRef) -> Checksum | None:
    try:
        return repo.refs.read_foreign(ref, own_id=repo.config.collection_id)
    except (OstreeError, OSError) as err:
        _log.debug("Ignoring ref %s of ‘%s’: %s", ref, repo.path, describe(err))
        return None
