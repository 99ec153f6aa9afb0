"""Pulling from a repository on this machine that is open already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyostree.errors import RefNotFoundError
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.formats.refspec import CollectionRef
from pyostree.pull.job import PullJob
from pyostree.pull.options import Wanted
from pyostree.pull.progress import PullResult
from pyostree.pull.remote_summary import read_remote_summary
from pyostree.pull.requests import Request, RequestedRef
from pyostree.pull.resolve import resolve_refs
from pyostree.pull.run import Plan, run_plan
from pyostree.pull.site import PullSite
from pyostree.pull.summary_files import mirror_summary, read_summary_files
from pyostree.pull.terms import PullTerms
from pyostree.remote.remotes import Remotes
from pyostree.remote.summary_fetcher import SummaryFiles
from pyostree.repo.refs import not_found
from pyostree.repo.repo import Repo

if TYPE_CHECKING:
    from pyostree.pull.local import LocalSupplier


def pull_from_repo(
    site: PullSite, terms: PullTerms, source: Repo, wanted: Sequence[Wanted]
) -> PullResult:
    """Pull `wanted` from `source`."""
    options = terms.options
    request = terms.plan_request(wanted)
    terms.check_deltas()
    files = terms.given_summary() or SummaryFiles(None, None)
    if request.needs_summary and files.summary is None:
        files = read_summary_files(source)
    if request.needs_summary or files.summary is not None:
        terms.check_summary(files, must_exist=request.is_full_mirror)
    plan = _plan(terms, source, request, files)

    def connect(job: PullJob) -> LocalSupplier:
        from pyostree.pull.local import LocalSupplier  # not for what comes from a server
        from pyostree.repo.import_objects import Importer

        importer = Importer(
            source,
            job.repo,
            # A signed commit vouches for what its objects are named after, not for these objects.
            is_trusted=not (options.is_untrusted or job.signatures.are_demanded),
            only_bare_user_files=options.bare_user_files_only,
            reads_once=terms.is_from_peer,
        )
        return LocalSupplier(job, source, importer, has_tombstones=plan.has_tombstones)

    with terms.open_signatures(plan) as signatures:
        result = run_plan(site, plan, options, connect, signatures)
    if request.is_full_mirror:
        mirror_summary(site.repo, files)
    return result


def _plan(terms: PullTerms, source: Repo, request: Request, files: SummaryFiles) -> Plan:
    """Find out which commits `request` means."""
    summary = None if files.summary is None else read_remote_summary(files.summary.data)
    refs = resolve_refs(request, summary, lambda ref: _look_up(source, ref))
    return Plan(
        remote=terms.ref_remote,
        refs=tuple(refs),
        commits=request.commits,
        collection_id=terms.source_collection(source),
        is_local=True,
        started_s=terms.started_s,
        has_tombstones=summary is not None and summary.has_tombstones,
    )


def _look_up(source: Repo, ref: RequestedRef) -> Checksum:
    if ref.collection_id is None:
        found = source.resolve_or_none(ref.ref, fallback=False)
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
