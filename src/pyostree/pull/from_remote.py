"""Pulling from a configured remote: over HTTP, or from the repository that its URL names."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pyostree.errors import ConfigError, FormatError, NotFoundError, doing
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.formats.summary import INDEXED_DELTAS, STATIC_DELTAS
from pyostree.pull.from_repo import NO_SUMMARY, check_deltas, plan_from_repo, pull_from_repo
from pyostree.pull.known_deltas import KnownDeltas
from pyostree.pull.options import MAX_METADATA_BYTES, PullOptions, Wanted, check_options
from pyostree.pull.progress import PullResult
from pyostree.pull.remote_summary import RemoteSummary, read_remote_summary
from pyostree.pull.requests import Request, RequestedRef, plan_request
from pyostree.pull.resolve import resolve_refs
from pyostree.pull.run import Plan, Report, run_plan
from pyostree.pull.signatures import (
    CommitSignatures,
    check_summary,
    commit_signatures,
    demands_of,
)
from pyostree.pull.summary_files import SummaryFetcher, SummaryFiles, mirror_summary
from pyostree.remote.endpoints import Bases, FetchOptions, fetch_settings, resolve_bases
from pyostree.remote.fetch import Fetcher, FetchRequest, fetch_bytes
from pyostree.remote.remotes import FILE_URL, Remotes
from pyostree.remote.summary_cache import SummaryCache
from pyostree.remote.urls import parse_base_url
from pyostree.repo.config import CONFIG_NAME
from pyostree.repo.repo import Repo

if TYPE_CHECKING:
    from pyostree.pull.job import PullJob
    from pyostree.pull.network import Cache, NetworkSupplier

_MIRRORLIST = "mirrorlist="
_MAX_REF_BYTES = 128 << 20


def pull(
    repo: Repo,
    remote: str,
    wanted: Sequence[Wanted] = (),
    options: PullOptions = PullOptions(),  # noqa: B008 - it is immutable
    report: Report | None = None,
) -> PullResult:
    """Pull from a remote.

    Args:
        remote: its name.
        wanted: refs and commits; none: what the remote's configuration names, or with
            `PullOptions.mirror` all that it has.
        report: called now and then with the progress.

    Raises:
        OstreeError: the repository's refs are unchanged; objects that were verified already wait
            for the next attempt.
    """
    check_options(options)
    remotes = Remotes.load(repo)
    _check_usable(remotes, remote)
    pull_ = _RemotePull(repo, remotes, remote, options)
    path = None if options.require_static_deltas else _local_path(remotes, remote, options)
    return pull_.over_network(wanted, report) if path is None else pull_.local(path, wanted, report)


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
    base = parse_base_url(url)
    if base.scheme != "file":
        return None
    path = base.secret.removeprefix(FILE_URL).partition("#")[0]
    return unquote(path[path.find("/") :], errors="surrogateescape")


class _RemotePull:
    """A pull from one remote."""

    def __init__(self, repo: Repo, remotes: Remotes, name: str, options: PullOptions) -> None:
        self._repo = repo
        self._remotes = remotes
        self._name = name
        self._options = options
        self._demands = demands_of(remotes, name, options)
        self._started_s = time.monotonic()
        # A repository named by its URL is no remote that could have refs here.
        self._ref_remote = options.ref_remote if name.startswith(FILE_URL) else name

    def _request(self, wanted: Sequence[Wanted]) -> Request:
        branches = self._remotes.get_list(self._name, "branches") or ()
        return plan_request(wanted, branches, mirror=self._options.mirror, remote=self._name)

    def local(self, path: str, wanted: Sequence[Wanted], report: Report | None) -> PullResult:
        """Pull from the repository at `path`."""
        request = self._request(wanted)
        with Repo.open(path) as source:
            check_deltas(self._options, is_archive=not self._repo.mode.is_bare)
            plan, files = plan_from_repo(source, request, remote=self._name)
            self._check_summary(files)
            with self._signatures() as signatures:
                result = pull_from_repo(self._repo, source, plan, self._options, report, signatures)
        if request.is_full_mirror:
            mirror_summary(self._repo, files)
        return result

    def _signatures(self) -> CommitSignatures:
        return commit_signatures(self._demands, self._remotes, self._ref_remote or self._name)

    def _check_summary(self, files: SummaryFiles) -> None:
        check_summary(
            self._demands,
            self._remotes,
            self._ref_remote or self._name,
            None if files.summary is None else files.summary.data,
            None if files.signature is None else files.signature.data,
        )

    def over_network(self, wanted: Sequence[Wanted], report: Report | None) -> PullResult:
        """Pull from a server."""
        from pyostree.remote.curl import open_fetcher  # libcurl takes its time to load

        options = self._options
        settings = fetch_settings(self._repo, self._remotes, self._name, _fetch_options(options))
        with (
            closing(SummaryCache(self._repo, options.cache_dir)) as cache,
            open_fetcher(settings, self._repo.tmp) as fetcher,
        ):
            bases = resolve_bases(fetcher, self._remotes, self._name, override_url=options.url)
            request = self._request(wanted)
            check_deltas(options, is_archive=not self._repo.mode.is_bare)
            summary, files = None, SummaryFiles(None, None)
            uses_deltas = self._uses_deltas()
            is_indexed = uses_deltas and not request.needs_summary and _is_indexed(fetcher, bases)
            if request.needs_summary or (uses_deltas and not is_indexed):
                summaries = SummaryFetcher(fetcher, cache, self._name, bases.metadata)
                files = self._checked_summary(request, summaries, bases.summary)
                summary = self._read_summary(files)
                summaries.keep(files)
            plan = self._plan(fetcher, bases, request, summary)
            if uses_deltas:
                deltas = self._known_deltas(summary, is_indexed=is_indexed)
                plan = plan._replace(deltas=deltas)
            with self._signatures() as signatures:
                result = self._transfer(fetcher, bases, plan, report, signatures)
        if request.is_full_mirror:
            mirror_summary(self._repo, files)
        return result

    def _checked_summary(
        self, request: Request, summaries: SummaryFetcher, from_metalink: bytes | None
    ) -> SummaryFiles:
        files = summaries.fetch(from_metalink)
        if files.summary is None and request.adds_all and not self._demands.gpg_summary:
            raise NotFoundError(NO_SUMMARY)
        return summaries.checked(files, self._check_summary)

    def _read_summary(self, files: SummaryFiles) -> RemoteSummary | None:
        if files.summary is None:
            return None
        summary = read_remote_summary(files.summary.data)
        summary.check_mode()
        return summary

    def _uses_deltas(self) -> bool:
        options = self._options
        return self._repo.mode.is_bare and not (
            options.disable_static_deltas or options.commit_only
        )

    def _known_deltas(self, summary: RemoteSummary | None, *, is_indexed: bool) -> KnownDeltas:
        known = KnownDeltas(has_summary=summary is not None, is_indexed=is_indexed)
        if summary is not None:
            known.add(summary.content.lookup(STATIC_DELTAS))
            known.is_indexed = summary.content.lookup_bool(INDEXED_DELTAS)
            if self._options.require_static_deltas and not (known.is_indexed or len(known)):
                raise NotFoundError(
                    "Fetch configured to require static deltas, "
                    "but no summary deltas or delta index found"
                )
        return known

    def _plan(
        self, fetcher: Fetcher, bases: Bases, request: Request, summary: RemoteSummary | None
    ) -> Plan:
        refs = resolve_refs(request, summary, lambda ref: _fetch_ref(fetcher, bases, ref))
        return Plan(
            remote=self._ref_remote,
            refs=tuple(refs),
            commits=request.commits,
            collection_id=self._remotes.get(self._name, "collection-id"),
            is_local=False,
            started_s=self._started_s,
            has_tombstones=summary is not None and summary.has_tombstones,
        )

    def _transfer(
        self,
        fetcher: Fetcher,
        bases: Bases,
        plan: Plan,
        report: Report | None,
        signatures: CommitSignatures,
    ) -> PullResult:
        from pyostree.pull.content import ContentReceiver
        from pyostree.pull.deltas import DeltaPull, DeltaRules
        from pyostree.pull.network import Endpoint, NetworkSupplier

        options = self._options
        endpoint = Endpoint(
            bases.metadata,
            bases.content,
            options.max_metadata_bytes,
            plan.has_tombstones,
        )
        with ExitStack() as opened:
            caches = self._open_caches(opened)

            def connect(job: PullJob) -> NetworkSupplier:
                receiver = ContentReceiver(
                    self._repo.store,
                    only_bare_user_files=options.bare_user_files_only,
                    is_trusted=options.mirror
                    and options.is_http_trusted
                    and not options.is_untrusted,
                )
                supplier = NetworkSupplier(job, fetcher, endpoint, receiver, caches)
                supplier.commit_bytes = {ref.checksum: ref.commit_bytes for ref in plan.refs}
                if plan.deltas is not None:
                    rules = DeltaRules(
                        required=options.require_static_deltas,
                        dry_run=options.dry_run,
                        needs_digest=self._demands.gpg_summary,
                    )
                    supplier.deltas = DeltaPull(job, fetcher, bases.content, plan.deltas, rules)
                return supplier

            return run_plan(self._repo, plan, options, connect, report, signatures)

    def _open_caches(self, opened: ExitStack) -> list[Cache]:
        from pyostree.pull.network import Cache
        from pyostree.repo.import_objects import Importer

        options = self._options
        caches = []
        for path in options.localcache_repos:
            source = opened.enter_context(Repo.open(path))
            importer = Importer(
                source,
                self._repo,
                is_trusted=options.is_http_trusted and not options.is_untrusted,
                only_bare_user_files=options.bare_user_files_only,
            )
            caches.append(Cache(source, importer))
        return caches


def _fetch_options(options: PullOptions) -> FetchOptions:
    return FetchOptions(
        append_user_agent=options.user_agent_suffix,
        headers=options.http_headers,
        retries=options.network_retries,
        retry_all=options.retry_all_errors,
        low_speed_bytes=options.low_speed_bytes,
        low_speed_s=options.low_speed_time_s,
    )


def _is_indexed(fetcher: Fetcher, bases: Bases) -> bool:
    """Ask the remote's configuration whether there are indexes of static deltas."""
    data = fetch_bytes(fetcher, FetchRequest(CONFIG_NAME, bases.metadata, MAX_METADATA_BYTES))
    with doing("Parsing config"):
        keyfile = KeyFile.parse(data or b"")
        return keyfile.get_boolean("core", "indexed-deltas", False)


def _fetch_ref(fetcher: Fetcher, bases: Bases, ref: RequestedRef) -> Checksum:
    """Ask a server without summary for the commit of a ref."""
    place = "heads" if ref.collection_id is None else f"mirrors/{ref.collection_id}"
    path = f"refs/{place}/{ref.ref}"
    data = fetch_bytes(fetcher, FetchRequest(path, bases.metadata, _MAX_REF_BYTES))
    with doing(f"Fetching checksum for ref ({ref.collection_id or '(empty)'}, {ref.ref})"):
        try:
            text = (data or b"").decode()
        except UnicodeDecodeError:
            raise FormatError("Invalid UTF-8") from None
        return parse_checksum(text.rstrip())
