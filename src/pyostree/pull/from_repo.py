"""Pulling from a repository on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pyostree.errors import (
    NotFoundError,
    RefNotFoundError,
    UnsupportedError,
    VerificationError,
)
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.formats.refspec import CollectionRef
from pyostree.pull.job import PullJob
from pyostree.pull.local import LocalSupplier
from pyostree.pull.options import PullOptions, Wanted, check_options
from pyostree.pull.progress import PullResult
from pyostree.pull.remote_summary import read_remote_summary
from pyostree.pull.requests import Request, RequestedRef, plan_request
from pyostree.pull.resolve import resolve_refs
from pyostree.pull.run import Plan, Report, run_plan
from pyostree.pull.signatures import CommitSignatures, check_summary
from pyostree.pull.summary_files import SummaryFiles, read_summary_files
from pyostree.remote.endpoints import Demands
from pyostree.remote.keyrings import open_remote_verifier
from pyostree.remote.remotes import FILE_URL, Remotes
from pyostree.repo.import_objects import Importer
from pyostree.repo.refs import not_found
from pyostree.repo.repo import Repo

NO_SUMMARY = (
    "Fetching all refs was requested in mirror mode, but remote repository does not have a summary"
)


def pull_local(
    repo: Repo,
    source_path: str,
    wanted: Sequence[Wanted] = (),
    options: PullOptions = PullOptions(),  # noqa: B008 - it is immutable
    report: Report | None = None,
) -> PullResult:
    """Pull from the repository at a path.

    Args:
        wanted: refs and commits; none: all refs that the source has.
        report: called now and then with the progress.

    Raises:
        OstreeError: the repository's refs are unchanged.
    """
    check_options(options)
    if (options.gpg_verify or options.gpg_verify_summary) and options.ref_remote is None:
        raise VerificationError("Must specify remote name to enable gpg verification")
    check_deltas(options, is_archive=not repo.mode.is_bare)
    with Repo.open(source_path) as source:
        names = wanted or [Wanted(name) for name in source.refs.list()]
        if options.require_static_deltas:
            return _pull_deltas(repo, source, names, options, report)
        request = plan_request(names, (), mirror=options.mirror, remote=f"file://{source_path}")
        plan, _ = plan_from_repo(source, request, remote=options.ref_remote)
        _check_summary(repo, source, options)
        with _signatures(repo, options) as signatures:
            return pull_from_repo(repo, source, plan, options, report, signatures)


def _pull_deltas(
    repo: Repo,
    source: Repo,
    wanted: Sequence[Wanted],
    options: PullOptions,
    report: Report | None,
) -> PullResult:
    """Pull as from a server, since only that uses deltas."""
    from pyostree.pull.from_remote import pull  # it needs this module itself

    return pull(repo, f"{FILE_URL}{source.path}", wanted, options, report)


def _check_summary(repo: Repo, source: Repo, options: PullOptions) -> None:
    if not options.gpg_verify_summary or options.ref_remote is None:
        return
    demands = Demands(
        gpg_commits=False, gpg_summary=True, engine_commits=False, engine_summary=False
    )
    summary, signature = read_summary_files(source)[:2]
    check_summary(
        demands,
        Remotes.load(repo),
        options.ref_remote,
        None if summary is None else summary.data,
        None if signature is None else signature.data,
    )


def _signatures(repo: Repo, options: PullOptions) -> CommitSignatures:
    """Return what checks the commits; unlike for a pull from a remote nothing is the default."""
    if not options.gpg_verify or options.ref_remote is None:
        return CommitSignatures(None)
    return CommitSignatures(open_remote_verifier(Remotes.load(repo), options.ref_remote))


def check_deltas(options: PullOptions, *, is_archive: bool) -> None:
    """Raise `UnsupportedError` when static deltas are required where they cannot be used."""
    if options.require_static_deltas and is_archive:
        raise UnsupportedError("Can't use static deltas in an archive repo")


def plan_from_repo(
    source: Repo, request: Request, *, remote: str | None
) -> tuple[Plan, SummaryFiles]:
    """Find out which commits `request` means.

    Args:
        remote: remote under which the refs are to be stored; None: as local refs.

    Returns:
        The plan, and the summary files of the source where they are needed.
    """
    started_s = time.monotonic()
    files = read_summary_files(source) if request.needs_summary else SummaryFiles(None, None)
    if files.summary is None and request.adds_all:
        raise NotFoundError(NO_SUMMARY)
    summary = None if files.summary is None else read_remote_summary(files.summary.data)
    refs = resolve_refs(request, summary, lambda ref: _look_up(source, ref))
    plan = Plan(
        remote=remote,
        refs=tuple(refs),
        commits=request.commits,
        collection_id=source.config.collection_id,
        is_local=True,
        started_s=started_s,
        has_tombstones=summary is not None and summary.has_tombstones,
    )
    return plan, files


def _look_up(source: Repo, ref: RequestedRef) -> Checksum:
    if ref.collection_id is None:
        found = source.resolve_or_none(ref.ref)
        if found is None:
            raise not_found(ref.ref)
        return found
    listed = source.refs.list_collections(
        source.config.collection_id, Remotes.load(source).collections()
    )
    text = listed.get(CollectionRef(ref.collection_id, ref.ref))
    if text is None:
        raise RefNotFoundError(f"Collection–ref ({ref.collection_id}, {ref.ref}) not found")
    return parse_checksum(text)


def pull_from_repo(
    repo: Repo,
    source: Repo,
    plan: Plan,
    options: PullOptions,
    report: Report | None,
    signatures: CommitSignatures,
) -> PullResult:
    """Copy what `plan` says."""

    def connect(job: PullJob) -> LocalSupplier:
        importer = Importer(
            source,
            repo,
            is_trusted=not options.is_untrusted,
            only_bare_user_files=options.bare_user_files_only,
        )
        return LocalSupplier(job, source, importer, has_tombstones=plan.has_tombstones)

    return run_plan(repo, plan, options, connect, report, signatures)
