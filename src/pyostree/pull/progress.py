"""How far a pull is, and what came of it: counts; `progress_text` has the lines for people."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pyostree.formats.objects import Checksum
    from pyostree.sign.gpg.result import GpgSignature


class PullPhase(enum.StrEnum):
    """What a pull is doing; the value is a word for people and programs."""

    RESOLVE = "resolving"
    SCAN = "scanning"
    FETCH = "fetching"
    WRITE = "writing"
    DONE = "done"


class Verification(NamedTuple):
    """What checking the signatures of one commit found, by GnuPG or by an engine.

    Attributes:
        signatures: all that GnuPG looked at, whether or not they let the commit pass.
        message: what an engine says of a commit that it lets pass; None when GnuPG was asked.
    """

    commit: Checksum
    signatures: tuple[GpgSignature, ...] = ()
    message: str | None = None


class PulledRef(NamedTuple):
    """A ref that a pull has brought up to date.

    Attributes:
        name: as it is stored here: ``REMOTE:REF``, or ``REF`` for a local one.
        commit: where it points to now.
        previous: where it did before; None for a new one.
        collection_id: of a ref that is mirrored as that of a collection.
    """

    name: str
    commit: Checksum
    previous: Checksum | None = None
    collection_id: str | None = None


class DeltaProgress:
    """Counts of static deltas; "here" is what need not be fetched.

    Attributes:
        parts_done: parts applied or here.
        size: bytes of all parts and fallbacks, as they are fetched.
        size_done: of those that came or are here.
        size_here: of those that need not be fetched.
        bytes_before: `PullProgress.bytes_transferred` when the first delta was known.
        usize: bytes that the objects of all of them hold.
    """

    __slots__ = (
        "bytes_before",
        "fallbacks",
        "fallbacks_done",
        "parts",
        "parts_done",
        "size",
        "size_done",
        "size_here",
        "usize",
    )

    def __init__(self) -> None:
        self.parts = self.parts_done = 0
        self.fallbacks = self.fallbacks_done = 0
        self.size = self.size_done = self.size_here = self.usize = 0
        self.bytes_before = 0

    def add_part(self, size: int, usize: int, *, is_here: bool) -> None:
        """Count a part in."""
        self.parts += 1
        self.size += size
        self.usize += usize
        if is_here:
            self.size_here += size
            self.part_done(size)

    def add_fallback(self, size: int, usize: int, *, is_here: bool) -> None:
        """Count a file in that a delta leaves out."""
        self.fallbacks += 1
        self.size += size
        self.usize += usize
        if is_here:
            self.size_here += size
            self.fallback_done(size)

    def part_done(self, size: int) -> None:
        """Count a part that was applied."""
        self.parts_done += 1
        self.size_done += size

    def fallback_done(self, size: int) -> None:
        """Count a file that came."""
        self.fallbacks_done += 1
        self.size_done += size


class PullProgress:
    """Counts of a running pull, changed by it and read by whoever shows them.

    Attributes:
        phase: resolving refs, scanning metadata, fetching content, writing what came, done.
        objects_total: objects that have to come or be copied, metadata and content, those counted
            by `done` included; None until that is certain: after the scan, or before it when the
            commit lists them. Set before content is asked for.
        bytes_total: what these objects take as they come over the network (``ostree.sizes``, and
            delta parts); None when nothing says so.
        bytes_done: of `bytes_total`: of objects that came, or of the parts of them that did so far.
            Counted also when the total is unknown.
        verifications: the results of checking signatures, in order; only ever appended to.
        result: set for the last report of a pull that succeeded.
        is_local: the source is a repository on this machine.
        metadata_fetched: commits, detached metadata, dirtrees and dirmetas that arrived.
        content_fetched: files that arrived.
        metadata_local: metadata copied from a local source or cache.
        content_local: files copied from there.
        metadata_wanted: metadata objects that were asked for so far.
        content_wanted: files that were asked for so far; final once nothing is scanned any more.
        deltas: the same for static deltas.
        bytes_transferred: what came over the network.
        writes: objects being verified and stored.
        scanned: metadata objects that were looked at.
        is_scanning: more objects may turn out to be needed.
        has_failed: an error ended the pull, what runs is finished.
        started_s: start, on the clock that the caller shows the progress by.
    """

    __slots__ = (
        "bytes_done",
        "bytes_total",
        "bytes_transferred",
        "content_fetched",
        "content_local",
        "content_wanted",
        "deltas",
        "has_failed",
        "is_local",
        "is_scanning",
        "metadata_fetched",
        "metadata_local",
        "metadata_wanted",
        "objects_total",
        "phase",
        "result",
        "scanned",
        "started_s",
        "verifications",
        "writes",
    )

    def __init__(self, *, started_s: float, is_local: bool) -> None:
        self.phase = PullPhase.RESOLVE
        self.objects_total: int | None = None
        self.bytes_total: int | None = None
        self.bytes_done = 0
        self.verifications: list[Verification] = []
        self.result: PullResult | None = None
        self.is_local = is_local
        self.metadata_fetched = 0
        self.content_fetched = 0
        self.metadata_local = 0
        self.content_local = 0
        self.metadata_wanted = 0
        self.content_wanted = 0
        self.deltas = DeltaProgress()
        self.bytes_transferred = 0
        self.writes = 0
        self.scanned = 0
        self.is_scanning = True
        self.has_failed = False
        self.started_s = started_s

    @property
    def done(self) -> int:
        """Objects that arrived or were copied."""
        local = self.metadata_local + self.content_local
        return self.metadata_fetched + self.content_fetched + local

    @property
    def metadata_done(self) -> int:
        """Metadata objects that arrived or were copied."""
        return self.metadata_fetched + self.metadata_local

    @property
    def is_fetching(self) -> bool:
        """Whether objects or parts of deltas that were asked for have not arrived yet."""
        return self.done < self.wanted or self.deltas.parts_done < self.deltas.parts

    @property
    def wanted(self) -> int:
        """Objects asked for so far."""
        return self.metadata_wanted + self.content_wanted


class PullResult(NamedTuple):
    """Outcome of a pull that succeeded.

    Attributes:
        is_local: the source was a repository on this machine.
        metadata: metadata objects fetched, from a local source: imported.
        content: files likewise.
        metadata_cached: metadata objects copied from a local cache repository.
        content_cached: files likewise.
        bytes_transferred: what came over the network for objects.
        seconds: how long it took.
        delta_parts: parts of static deltas that were applied, or were not needed.
        dry_run: what deltas would be fetched, when nothing else was asked for.
        content_bytes_written: what the new files hold; shared ones count nothing. None when the
            transaction was not that of the pull alone.
        refs: those that were asked for, in that order; none after a dry run.
        commits: commits that were asked for by their checksum, or reached as parents.
    """

    is_local: bool
    metadata: int
    content: int
    metadata_cached: int
    content_cached: int
    bytes_transferred: int
    seconds: int
    content_bytes_written: int | None
    delta_parts: int = 0
    dry_run: DeltaProgress | None = None
    refs: tuple[PulledRef, ...] = ()
    commits: tuple[Checksum, ...] = ()
