"""Pulling from a server: its summary first, then what the summary, or the server, leads to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from pyostree.errors import NotFoundError
from pyostree.formats.summary import INDEXED_DELTAS
from pyostree.pull.caches import Cache, open_caches
from pyostree.pull.journal import note_pull
from pyostree.pull.known_deltas import KnownDeltas
from pyostree.pull.options import PullOptions, Wanted
from pyostree.pull.progress import PullResult
from pyostree.pull.remote_summary import RemoteSummary, read_remote_summary
from pyostree.pull.requests import Request
from pyostree.pull.resolve import resolve_refs
from pyostree.pull.run import Plan, run_plan
from pyostree.pull.server import fetch_ref, has_delta_indexes
from pyostree.pull.site import PullSite
from pyostree.pull.summary_files import mirror_summary
from pyostree.pull.terms import PullTerms
from pyostree.remote.endpoints import Bases, FetchOptions, fetch_settings, resolve_bases
from pyostree.remote.fetch import Fetcher
from pyostree.remote.summary_cache import SummaryCache
from pyostree.remote.summary_fetcher import SummaryFetcher, SummaryFiles
from pyostree.remote.watched_fetcher import WatchedFetcher

if TYPE_CHECKING:
    from pyostree.pull.content import ContentReceiver
    from pyostree.pull.job import PullJob
    from pyostree.pull.network import NetworkSupplier


def pull_from_server(site: PullSite, terms: PullTerms, wanted: Sequence[Wanted]) -> PullResult:
    """Pull `wanted` from the servers of a remote."""
    from pyostree.remote.curl import open_fetcher  # libcurl takes its time to load

    options = terms.options
    settings = fetch_settings(site.repo, terms.remotes, terms.name, _fetch_options(options))
    with (
        ExitStack() as opened,
        closing(SummaryCache(site.repo, options.cache_dir)) as cache,
        open_fetcher(settings, site.repo.tmp) as fetcher,
    ):
        caches = open_caches(site.repo, options, opened)
        watched = WatchedFetcher(fetcher, site.watch)
        bases = resolve_bases(watched, terms.remotes, terms.name, override_url=options.url)
        request = terms.plan_request(wanted)
        terms.check_deltas()
        look = _Look(terms, watched, bases, cache)
        plan = look.plan(request)
        with terms.open_signatures(plan) as signatures:
            transfer = _Transfer(terms, fetcher, bases, plan, caches)
            result = run_plan(site, plan, options, transfer.connect, signatures)
    note_pull(terms, plan, bases.metadata[0].scheme, result)
    if request.is_full_mirror:
        mirror_summary(site.repo, look.files)
    return result


def _fetch_options(options: PullOptions) -> FetchOptions:
    return FetchOptions(
        append_user_agent=options.user_agent_suffix,
        headers=options.http_headers,
        retries=options.network_retries,
        retry_all=options.retry_all_errors,
        low_speed_bytes=options.low_speed_bytes,
        low_speed_s=options.low_speed_time_s,
        max_in_flight=options.max_requests,
        max_bytes_per_s=options.max_bytes_per_s or None,
    )


class _Look:
    """A look at what a server has, with as few requests as will do.

    Attributes:
        files: the summary and its signature, as far as they were needed.
    """

    def __init__(
        self, terms: PullTerms, fetcher: Fetcher, bases: Bases, cache: SummaryCache
    ) -> None:
        self._terms = terms
        self._fetcher = fetcher
        self._bases = bases
        self._cache = cache
        self.files = SummaryFiles(None, None)

    def plan(self, request: Request) -> Plan:
        """Return which commits `request` means, and how to get them."""
        terms = self._terms
        needs_summary = request.needs_summary or terms.options.summary is not None
        is_indexed = terms.uses_deltas and not needs_summary and self._has_delta_indexes()
        summary = None
        if needs_summary or (terms.uses_deltas and not is_indexed):
            summary = self._read_summary(request)
        refs = resolve_refs(
            request, summary, lambda ref: fetch_ref(self._fetcher, self._bases.metadata, ref)
        )
        return Plan(
            remote=terms.ref_remote,
            refs=tuple(refs),
            commits=request.commits,
            collection_id=terms.remotes.get(terms.name, "collection-id"),
            is_local=False,
            started_s=terms.started_s,
            has_tombstones=summary is not None and summary.has_tombstones,
            deltas=self._known_deltas(summary, is_indexed) if terms.uses_deltas else None,
        )

    def _has_delta_indexes(self) -> bool:
        return has_delta_indexes(self._fetcher, self._bases.metadata)

    def _read_summary(self, request: Request) -> RemoteSummary | None:
        terms = self._terms
        summaries = SummaryFetcher(self._fetcher, self._cache, terms.name, self._bases.metadata)
        files = terms.given_summary() or summaries.fetch(self._bases.summary)
        read: list[RemoteSummary] = []

        def check(found: SummaryFiles) -> None:
            terms.check_summary(found, must_exist=request.is_full_mirror)
            if found.summary is not None:
                read.append(read_remote_summary(found.summary.data))

        self.files = summaries.checked(files, check)
        if not read:
            return None
        read[0].check_mode()
        summaries.keep(self.files)
        return read[0]

    def _known_deltas(self, summary: RemoteSummary | None, is_indexed: bool) -> KnownDeltas:
        known = KnownDeltas(has_summary=summary is not None, is_indexed=is_indexed)
        if summary is not None:
            known.add_all(summary.entries.deltas())
            known.is_indexed = summary.entries.lookup_bool(INDEXED_DELTAS)
        is_required = self._terms.options.require_static_deltas
        if is_required and not (known.is_indexed or len(known)):
            raise NotFoundError(
                "Fetch configured to require static deltas, "
                "but no summary deltas or delta index found"
            )
        return known


class _Transfer:
    """Makes what fetches the objects of a plan."""

    def __init__(
        self,
        terms: PullTerms,
        fetcher: Fetcher,
        bases: Bases,
        plan: Plan,
        caches: Sequence[Cache],
    ) -> None:
        self._terms = terms
        self._fetcher = fetcher
        self._bases = bases
        self._plan = plan
        self._caches = caches

    def connect(self, job: PullJob) -> NetworkSupplier:
        """Return the supplier for a pull that has begun."""
        from pyostree.pull.network import Endpoint, NetworkSupplier

        options, bases, plan = self._terms.options, self._bases, self._plan

        def make_receiver() -> ContentReceiver:
            from pyostree.pull.content import ContentReceiver  # often there is nothing to receive

            return ContentReceiver(
                job.repo.store,
                only_bare_user_files=options.bare_user_files_only,
                is_trusted=options.mirror and options.is_http_trusted and not options.is_untrusted,
            )

        endpoint = Endpoint(
            bases.metadata, bases.content, options.max_metadata_bytes, plan.has_tombstones
        )
        supplier = NetworkSupplier(job, self._fetcher, endpoint, make_receiver, self._caches)
        supplier.commit_bytes = {ref.checksum: ref.commit_bytes for ref in plan.refs}
        if plan.deltas is not None and plan.deltas.may_serve:
            self._add_deltas(supplier, job, plan.deltas)
        return supplier

    def _add_deltas(self, supplier: NetworkSupplier, job: PullJob, known: KnownDeltas) -> None:
        from pyostree.pull.delta_signatures import DeltaSignatures
        from pyostree.pull.deltas import DeltaPull, DeltaRules

        rules = DeltaRules(
            DeltaSignatures(job.repo, self._terms.commit_engines),
            required=self._terms.options.require_static_deltas,
            dry_run=self._terms.options.dry_run,
            needs_digest=self._terms.demands.gpg_summary or self._terms.demands.engine_summary,
        )
        supplier.deltas = DeltaPull(job, self._fetcher, self._bases.content, known, rules)
