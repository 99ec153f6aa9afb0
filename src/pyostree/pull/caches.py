"""`Cache`: a repository on this machine that is looked at before a server is asked."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from pyostree.pull.options import PullOptions
from pyostree.repo.repo import Repo

if TYPE_CHECKING:
    from pyostree.repo.import_objects import Importer


class Cache(NamedTuple):
    """A local repository whose objects need not be fetched."""

    repo: Repo
    importer: Importer


def open_caches(repo: Repo, options: PullOptions, opened: ExitStack) -> list[Cache]:
    """Return the caches of a pull into `repo`, which `opened` closes.

    Raises:
        OstreeError, OSError: one of them is no repository.
    """
    if not options.localcache_repos:
        return []
    from pyostree.repo.import_objects import Importer  # few pulls have caches

    caches = []
    for path in options.localcache_repos:
        source = opened.enter_context(Repo.open_source(path))
        importer = Importer(
            source,
            repo,
            is_trusted=options.is_http_trusted and not options.is_untrusted,
            only_bare_user_files=options.bare_user_files_only,
        )
        caches.append(Cache(source, importer))
    return caches
