"""One pull from start to end: a transaction, the walk, the refs last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple

from pyostree.errors import OstreeError
from pyostree.formats.objects import Checksum
from pyostree.formats.refspec import CollectionRef, Refspec
from pyostree.pull.checks import CommitChecks
from pyostree.pull.job import PullJob
from pyostree.pull.known_deltas import KnownDeltas
from pyostree.pull.options import PullOptions
from pyostree.pull.progress import PulledRef, PullPhase, PullProgress, PullResult
from pyostree.pull.resolve import ResolvedRef
from pyostree.pull.signatures import CommitSignatures
from pyostree.pull.site import PullSite, Report
from pyostree.pull.supplier import Start, Supplier
from pyostree.pull.totals import PullTotals
from pyostree.pull.walk import Walker
from pyostree.repo.parallel import LazyPool
from pyostree.repo.repo import Repo
from pyostree.repo.transaction import Transaction
from pyostree.watch import Watch

_STEPS_PER_TURN = 64
_DEFAULT_INTERVAL_S = 1.0


class Plan(NamedTuple):
    """What a pull gets, after the remote was asked what it has.

    Attributes:
        remote: remote under which the refs are stored; None: as local refs.
        collection_id: collection of the source, for the check of bindings.
        is_local: the source is a repository on this machine.
        started_s: when it began, on the monotonic clock.
        has_tombstones: the source keeps tombstones of deleted commits.
        deltas: static deltas of the source; None to do without.
    """

    remote: str | None
    refs: tuple[ResolvedRef, ...]
    commits: tuple[Checksum, ...]
    collection_id: str | None
    is_local: bool
    started_s: float
    has_tombstones: bool = False
    deltas: KnownDeltas | None = None


# Makes the supplier once the transaction runs.
Connect = Callable[[PullJob], Supplier]


def run_plan(
    site: PullSite,
    plan: Plan,
    options: PullOptions,
    connect: Connect,
    signatures: CommitSignatures,
) -> PullResult:
    """Pull what `plan` says, commits only as far as `signatures` let them pass.

    Raises:
        OstreeError: refs are unchanged; verified objects wait for the next attempt.
    """
    repo = site.repo
    progress = PullProgress(started_s=plan.started_s, is_local=plan.is_local)
    progress.verifications = signatures.results
    reporter = _Reporter(progress, site.report, options)
    if options.disable_fsync:
        repo.disable_fsync()
    if options.per_object_fsync:
        repo.sync_each_object()
    checks = _checks(site, plan, options, signatures)
    with _transaction(site) as transaction, LazyPool() as pool:
        supplier = connect(PullJob(repo, transaction, progress, pool, signatures))
        walker = Walker(
            repo,
            supplier,
            checks,
            subpaths=options.subpaths,
            commit_only=options.commit_only,
            rescan_all=transaction.is_resuming,
        )
        supplier.walker = walker
        for start in _starts(repo, plan, options.depth):
            supplier.begin(start)
        totals = PullTotals(repo, walker, supplier, progress)
        _drive(walker, supplier, totals, reporter, site.watch)
        reporter.look(totals, is_end=True)
        refs: list[PulledRef] = []
        if not options.dry_run:
            refs = _set_refs(repo, transaction, plan, mirror=options.mirror)
        if not (options.subpaths or options.commit_only or options.dry_run):
            _complete(repo, transaction, walker.commits)
    result = _result(progress, transaction, dry_run=options.dry_run)
    if site.transaction is not None:
        result = result._replace(content_bytes_written=None)
    result = result._replace(refs=tuple(refs), commits=tuple(walker.commits))
    progress.phase, progress.result = PullPhase.DONE, result
    reporter.report()
    return result


def _transaction(site: PullSite) -> AbstractContextManager[Transaction]:
    """Return the transaction of a pull; that of a caller goes on after it."""
    if site.transaction is None:
        return site.repo.transaction()
    return nullcontext(site.transaction)


def _starts(repo: Repo, plan: Plan, depth: int) -> Iterator[Start]:
    """Yield the commits that were asked for."""
    for checksum in plan.commits:
        yield Start(checksum, None, None, depth)
    for ref in plan.refs:
        current = repo.resolve_ref(Refspec(plan.remote, ref.ref))
        yield Start(ref.checksum, ref.ref, current, depth)


def _complete(repo: Repo, transaction: Transaction, commits: Iterable[Checksum]) -> None:
    """Let commits count as complete once the transaction is published."""
    partial_commits = tuple(filter(repo.is_partial, commits))
    if partial_commits:
        transaction.after_commit(partial(_clear_partial, repo, partial_commits))


def _clear_partial(repo: Repo, commits: Sequence[Checksum]) -> None:
    for checksum in commits:
        repo.clear_partial(checksum)


def _checks(
    site: PullSite, plan: Plan, options: PullOptions, signatures: CommitSignatures
) -> CommitChecks:
    repo = site.repo
    oldest = None
    if options.timestamp_check_from is not None:
        oldest = repo.resolve(options.timestamp_check_from)
    checks = CommitChecks(
        repo,
        signatures,
        collection_id=plan.collection_id,
        binds=options.check_bindings,
        oldest=oldest,
    )
    for ref in plan.refs:
        current = site.oldest.get(CollectionRef(ref.collection_id, ref.ref))
        if options.timestamp_check:
            current = repo.resolve_ref(Refspec(None, ref.ref))
        checks.expect_ref(ref.ref, ref.checksum, current)
    return checks


class _Reporter:
    """Passes progress on now and then, and whenever a phase begins."""

    def __init__(self, progress: PullProgress, report: Report | None, options: PullOptions) -> None:
        self._progress = progress
        self._report = report
        self._interval_s = options.update_interval_ms / 1000 or _DEFAULT_INTERVAL_S
        self._next_s = 0.0
        self._phases: set[PullPhase] = set()

    def look(self, totals: PullTotals, *, is_end: bool = False) -> None:
        """Take stock, and report if it is time."""
        is_watched = self._report is not None
        # This is called for every few objects: where totals are known, now and then is enough.
        is_due = is_end or (is_watched and time.monotonic() >= self._next_s)
        if self._progress.objects_total is not None and not is_due:
            return
        had_bytes = self._progress.bytes_total is not None
        totals.update(with_bytes=is_watched)
        # Totals are shown before content comes, and a pull may go back and forth between phases.
        is_news = self._progress.phase not in self._phases
        is_news |= not had_bytes and self._progress.bytes_total is not None
        if is_news or time.monotonic() >= self._next_s:
            self.report()

    def report(self) -> None:
        """Report now."""
        if self._report is not None:
            self._phases.add(self._progress.phase)
            self._next_s = time.monotonic() + self._interval_s
            self._report(self._progress)

    def report_failure(self) -> None:
        """Report that an error ends the pull."""
        self._progress.has_failed = True
        self.report()


def _drive(
    walker: Walker,
    supplier: Supplier,
    totals: PullTotals,
    reporter: _Reporter,
    watch: Watch,
) -> None:
    has_more = True
    try:
        while has_more:
            watch.check()
            for _ in range(_STEPS_PER_TURN):
                if not walker.has_work:
                    break
                walker.advance()
            reporter.look(totals)  # before content is asked for
            has_more = supplier.step() or walker.has_work
        watch.check()  # after this the refs are set
    except (OstreeError, OSError):
        reporter.report_failure()
        supplier.salvage()
        raise
    finally:
        supplier.close()


def _set_refs(repo: Repo, transaction: Transaction, plan: Plan, *, mirror: bool) -> list[PulledRef]:
    refs = []
    for ref in plan.refs:
        refspec = Refspec(plan.remote, ref.ref)
        collection_id = ref.collection_id if mirror else None
        previous = repo.resolve_ref(refspec)
        refs.append(PulledRef(str(refspec), ref.checksum, previous, collection_id))
        # A local ref that is missing counts as that of a remote of the same name, as in the
        # reference: what it resolves to is not written again.
        if previous == ref.checksum:
            continue
        if mirror:
            name = CollectionRef(ref.collection_id, ref.ref)
            transaction.set_collection_ref(name, ref.checksum)
        else:
            transaction.set_ref(refspec, ref.checksum)
    return refs


def _result(progress: PullProgress, transaction: Transaction, *, dry_run: bool) -> PullResult:
    if progress.is_local:
        metadata, content = progress.metadata_local, progress.content_local
    else:
        metadata, content = progress.metadata_fetched, progress.content_fetched
    return PullResult(
        is_local=progress.is_local,
        metadata=metadata,
        content=content,
        metadata_cached=progress.metadata_local,
        content_cached=progress.content_local,
        bytes_transferred=progress.bytes_transferred,
        seconds=int(time.monotonic() - progress.started_s),
        content_bytes_written=transaction.stats.content_bytes_written,
        delta_parts=progress.deltas.parts_done,
        dry_run=progress.deltas if dry_run else None,
    )
