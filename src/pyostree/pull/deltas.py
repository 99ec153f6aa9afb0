"""Static deltas in a pull: which one is taken for a commit, its superblock checked, its parts run.

A commit that no delta leads to is walked. After a delta has been applied, what its commit adds to
the one that the delta started from is walked, too: whatever the delta left out is then fetched.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import (
    FormatError,
    FreeSpaceError,
    NotFoundError,
    VerificationError,
)
from pyostree.formats.objects import MAX_METADATA_BYTES, Checksum, ObjectName, ObjectType
from pyostree.formats.sizes import format_size
from pyostree.pull.job import PullJob
from pyostree.pull.known_deltas import KnownDeltas, is_complete
from pyostree.pull.supplier import Start
from pyostree.pull.walk import Walker
from pyostree.remote.fetch import Completed, Fetcher, FetchRequest
from pyostree.remote.urls import BaseUrl
from pyostree.repo.delta_dirs import DeltaName, superblock_path
from pyostree.repo.delta_index import index_path
from pyostree.repo.traverse import Reachable

if TYPE_CHECKING:  # slow to import, and often there is no delta after all
    from pyostree.delta.plan import DeltaPlan
    from pyostree.pull.delta_parts import DeltaParts
    from pyostree.pull.delta_signatures import DeltaSignatures

_PRIORITY = -100


class DeltaRules(NamedTuple):
    """What a pull demands of deltas.

    Attributes:
        signatures: to ask before anything else looks at a superblock.
        required: fail where there is none.
        dry_run: only count what would be fetched.
        needs_digest: take none whose superblock neither the summary nor an index, which nobody
            signs, gives the SHA-256 of. What a delta leads to is checked in any case.
    """

    signatures: DeltaSignatures
    required: bool = False
    dry_run: bool = False
    needs_digest: bool = False


class _Index(NamedTuple):
    """Tag of the request for an index."""

    start: Start


class _Superblock(NamedTuple):
    """Tag of the request for a superblock."""

    start: Start
    name: DeltaName


class DeltaPull:
    """Gets commits by static deltas.

    Attributes:
        walker: to be set before anything is asked for.
    """

    walker: Walker

    def __init__(
        self,
        job: PullJob,
        fetcher: Fetcher,
        bases: tuple[BaseUrl, ...],
        known: KnownDeltas,
        rules: DeltaRules,
    ) -> None:
        self._repo = job.repo
        self._is_resuming = job.transaction.is_resuming
        self._progress = job.progress
        self._signatures = job.signatures
        self._fetcher = fetcher
        self._bases = bases
        self._known = known
        self._rules = rules
        self._job = job
        self._parts: DeltaParts | None = None
        self._begun: set[Checksum] = set()
        self._fallbacks: dict[Checksum, int] = {}

    @property
    def is_busy(self) -> bool:
        """Whether parts wait or run."""
        return self._parts is not None and self._parts.is_busy

    def begin(self, start: Start) -> None:
        """Get a commit, by a delta if there is one."""
        if start.target in self._begun:
            return
        self._begun.add(start.target)
        if self._known.is_indexed:
            self._request(index_path(start.target), _Index(start))
            self._is_unchanged(start)  # its walk needs not wait for the index
        elif self._known.has_summary:
            self._choose(start)
        else:
            self._guess(start)

    def receive(self, completed: Completed) -> bool:
        """Take an answer; return False when it belongs to somebody else."""
        match completed.request.tag:
            case _Index(start):
                self._receive_index(start, self._content(completed))
            case _Superblock(start, name):
                self._receive_superblock(start, name, self._content(completed))
            case _:
                return self._parts is not None and self._parts.receive(completed)
        return True

    def content_arrived(self, checksum: Checksum) -> None:
        """Note that a file came, which may be one that a delta left out."""
        size = self._fallbacks.pop(checksum, None)
        if size is not None:
            self._progress.deltas.fallback_done(size)

    def step(self, *, wait: bool) -> None:
        """Take what has ended and start what can be; `wait` for the end of one part."""
        if self._parts is not None:
            self._parts.step(wait=wait)

    def salvage(self) -> None:
        """After an error: let what runs end."""
        if self._parts is not None:
            self._parts.salvage()

    def _content(self, completed: Completed) -> bytes | None:
        if completed.error is not None and not completed.missing:
            raise completed.error
        self._progress.metadata_fetched += 1
        if completed.body is None:
            return None
        with completed.body as body:
            return body.read()

    # -- choosing ------------------------------------------------------------------------

    def _receive_index(self, start: Start, data: bytes | None) -> None:
        if data is not None:
            self._known.add_index(data)
        self._choose(start)

    def _choose(self, start: Start) -> None:
        if self._is_unchanged(start):
            return
        allow_scratch = start.ref is None or start.current is None
        name = self._known.choose(self._repo, start.target, allow_scratch=allow_scratch)
        if name is None:
            self._walk(start, f"Static deltas required, but none found for {start.ref or ''}")
        else:
            self._request(superblock_path(name), _Superblock(start, name))

    def _guess(self, start: Start) -> None:
        """Ask a server that lists nothing for the delta that would be most useful."""
        current = start.current
        if current is not None and (self._is_resuming or self._repo.is_partial(current)):
            current = None
        if current == start.target and self._is_unchanged(start):
            return
        name = DeltaName(current, start.target)
        self._request(superblock_path(name), _Superblock(start, name))

    def _is_unchanged(self, start: Start) -> bool:
        """Tell whether the commit is here already; if so, its signatures are looked at again."""
        if self._is_resuming or not is_complete(self._repo, start.target):
            return False
        if self._rules.required:  # with as little traffic as can be, but not unverified
            self.walker.add_stored_commit(start.target)
        else:
            self.walker.add_commit(start.target, start.depth)
        return True

    def _walk(self, start: Start, problem: str) -> None:
        if self._rules.required:
            raise NotFoundError(f"{problem} to {start.target}")
        self.walker.add_commit(start.target, start.depth)

    def _request(self, path: str, tag: _Index | _Superblock) -> None:
        self._progress.metadata_wanted += 1
        self._fetcher.submit(
            FetchRequest(
                path,
                self._bases,
                max_bytes=MAX_METADATA_BYTES,
                priority=_PRIORITY,
                optional=True,
                tag=tag,
            )
        )

    # -- superblocks ---------------------------------------------------------------------

    def _receive_superblock(self, start: Start, name: DeltaName, data: bytes | None) -> None:
        if data is None:
            source = name.source or "(null)"
            self._walk(start, f"Static deltas required, but none found for {source}")
            return
        from pyostree.delta.plan import plan_delta
        from pyostree.formats.delta_superblock import decode_superblock

        self._check_digest(name, data)
        superblock = self._rules.signatures.unwrap(name, data)
        if superblock is None:
            what = "Static deltas required, but none with a good signature found for"
            self._walk(start, f"{what} {start.ref or ''}")
            return
        plan = plan_delta(decode_superblock(superblock), name)
        self._check_space(plan)
        self._count(plan)
        if not self._rules.dry_run:
            self._run(start, plan)

    def _check_digest(self, name: DeltaName, data: bytes) -> None:
        digest = self._known.digest(name)
        if digest is None and self._rules.needs_digest:
            raise VerificationError(
                "GPG verification enabled, but no summary signatures found "
                "(use gpg-verify-summary=false in remote config to disable)"
            )
        if digest is not None and hashlib.sha256(data).digest() != digest:
            raise FormatError(f"Invalid checksum for static delta {name}")

    def _check_space(self, plan: DeltaPlan) -> None:
        figures = self._repo.dir.statvfs()
        if plan.usize // figures.f_bsize > figures.f_bfree:
            free = format_size(figures.f_bfree * figures.f_bsize)
            raise FreeSpaceError(
                f"Delta requires {format_size(plan.usize)} free space, but only {free} available"
            )

    def _count(self, plan: DeltaPlan) -> None:
        deltas = self._progress.deltas
        store = self._repo.store
        if not deltas.size:
            deltas.bytes_before = self._progress.bytes_transferred
        for fallback in plan.fallbacks:
            is_here = store.has(ObjectName(fallback.checksum, ObjectType.FILE))
            deltas.add_fallback(fallback.size, fallback.usize, is_here=is_here)
        for part in plan.parts:
            deltas.add_part(
                part.header.size, part.header.usize, is_here=part.is_applied(self._repo)
            )

    def _run(self, start: Start, plan: DeltaPlan) -> None:
        from pyostree.delta.plan import store_commit
        from pyostree.pull.delta_parts import DeltaParts

        target = plan.name.target
        if not self._repo.store.has(ObjectName(target, ObjectType.COMMIT)):
            self._signatures.check(target, plan.superblock.commit, plan.detached)
            # Before the commit itself: a crash must not leave it looking complete.
            self._repo.mark_partial(target)
            store_commit(self._repo, plan)
        self.walker.hold_tree(target)
        self.walker.add_commit(target, start.depth)
        for fallback in plan.fallbacks:
            self._fallbacks[fallback.checksum] = fallback.size
            self.walker.add_content(fallback.checksum)
        if self._parts is None:
            self._parts = DeltaParts(self._job, self._fetcher, self._bases, self._finish)
        self._parts.add(plan)

    def _finish(self, plan: DeltaPlan) -> None:
        if plan.name.source is not None:
            known = Reachable(self._repo)
            known.add_commit(plan.name.source, self._repo.load_commit(plan.name.source))
            self.walker.skip_known(known)
        self.walker.release_tree(plan.name.target)
