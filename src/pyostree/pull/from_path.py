"""Pulling from a repository that is named by its path."""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.pull.from_remote import pull_at
from pyostree.pull.from_repo import pull_from_repo
from pyostree.pull.options import PullOptions, Wanted, check_options
from pyostree.pull.progress import PullResult
from pyostree.pull.site import PullSite, Report
from pyostree.pull.terms import PullTerms
from pyostree.remote.remotes import FILE_URL, Remotes
from pyostree.repo.repo import Repo
from pyostree.watch import UNWATCHED, Watch


def pull_local(
    repo: Repo,
    source_path: str,
    wanted: Sequence[Wanted] = (),
    options: PullOptions = PullOptions(),  # noqa: B008 - it is immutable
    report: Report | None = None,
    watch: Watch = UNWATCHED,
) -> PullResult:
    """Pull from the repository at a path; signatures are checked only if `options` say so.

    No engine is asked for them, and `PullOptions.ref_remote` says no more than whose refs are set,
    and whose keys count.

    Args:
        wanted: refs and commits; none: all refs that the source has.
        report: called now and then with the progress.
        watch: may cancel the pull.

    Raises:
        OstreeError: the repository's refs are unchanged.
    """
    check_options(options)
    options = options._replace(
        gpg_verify=bool(options.gpg_verify),
        gpg_verify_summary=bool(options.gpg_verify_summary),
        disable_sign_verify=True,
    )
    site = PullSite(repo, report, watch)
    with PullTerms(repo, Remotes.load(repo), f"{FILE_URL}{source_path}", options) as terms:
        terms.check_deltas()
        with Repo.open_source(source_path or ".") as source:
            names = wanted or [Wanted(name) for name in source.refs.list()]
            if not options.require_static_deltas:
                return pull_from_repo(site, terms, source, names)
            url = _url_of(source)
    return pull_at(site, url, names, options)  # as from a server, since only that uses deltas


def _url_of(source: Repo) -> str:
    from urllib.parse import quote  # slow to import

    return FILE_URL + quote(source.path, errors="surrogateescape")
