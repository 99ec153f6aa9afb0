"""Pulling from a remote: from its servers, or from the repository that its URL names."""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.errors import ConfigError
from pyostree.fs.dir import Dir
from pyostree.pull.options import PullOptions, Wanted, check_options
from pyostree.pull.progress import PullResult
from pyostree.pull.site import PullSite, Report
from pyostree.pull.terms import PullTerms
from pyostree.remote.remotes import Remotes
from pyostree.remote.urls import parse_base_url
from pyostree.repo.repo import Repo
from pyostree.watch import UNWATCHED, Watch

_MIRRORLIST = "mirrorlist="


def pull(
    repo: Repo,
    remote: str,
    wanted: Sequence[Wanted] = (),
    options: PullOptions = PullOptions(),  # noqa: B008 - it is immutable
    report: Report | None = None,
    watch: Watch = UNWATCHED,
) -> PullResult:
    """Pull from a remote.

    Args:
        remote: its name.
        wanted: refs and commits; none: what the remote's configuration names, or with
            `PullOptions.mirror` all that it has.
        report: called now and then with the progress.
        watch: may cancel the pull.

    Raises:
        OstreeError: the repository's refs are unchanged; objects that were verified already wait
            for the next attempt.
    """
    return pull_at(PullSite(repo, report, watch), remote, wanted, options)


def pull_at(
    site: PullSite,
    remote: str,
    wanted: Sequence[Wanted] = (),
    options: PullOptions = PullOptions(),  # noqa: B008 - it is immutable
) -> PullResult:
    """Do what `pull` does, perhaps in a running transaction, or from a temporary remote."""
    check_options(options)
    remotes = Remotes.load(site.repo) if site.remotes is None else site.remotes
    _check_usable(remotes, remote)
    with PullTerms(site.repo, remotes, remote, options) as terms:
        path = None if options.require_static_deltas else _local_path(remotes, remote, options)
        if path is None:
            from pyostree.pull.from_server import pull_from_server  # needs all of the network

            return pull_from_server(site, terms, wanted)
        for cache in options.localcache_repos:  # not needed, but they must be there
            Repo.open(cache).close()
        from pyostree.pull.from_repo import pull_from_repo  # needs nothing of it

        with _open_source(path, terms) as source:
            return pull_from_repo(site, terms, source, wanted)


def _open_source(path: str, terms: PullTerms) -> Repo:
    if not terms.is_from_peer:
        return Repo.open_source(path)
    return Repo.open_foreign(Dir.at(path), path)


def _check_usable(remotes: Remotes, name: str) -> None:
    state = remotes.get(name, "unconfigured-state")
    if state is not None:
        raise ConfigError(f"remote unconfigured-state: {state}")
    backend = remotes.get(name, "custom-backend")
    if backend is not None:
        raise ConfigError(
            f"Cannot fetch via libostree - remote '{name}' uses custom backend '{backend}'"
        )


def _local_path(remotes: Remotes, name: str, options: PullOptions) -> str | None:
    """Return the path of a remote that is a repository on this machine, else None."""
    if remotes.get(name, "metalink") is not None:
        return None
    url = remotes.url(name) if options.url is None else options.url
    if url.startswith(_MIRRORLIST):
        return None
    return parse_base_url(url).local_path
