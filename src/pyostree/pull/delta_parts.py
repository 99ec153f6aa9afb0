"""The parts of the static deltas of a pull: fetched a few at a time, applied in the background."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from pyostree.delta.plan import DeltaPart, DeltaPlan, run_part
from pyostree.pull.background import Background
from pyostree.pull.job import PullJob
from pyostree.remote.fetch import Body, Completed, Fetcher, FetchRequest
from pyostree.remote.urls import BaseUrl
from pyostree.repo.delta_dirs import DeltaName, part_path

_PRIORITY = -50
# Each may need much memory for unpacking.
_MAX_ACTIVE = 2


class _Job(NamedTuple):
    """One part to fetch and apply; also the tag of its request."""

    plan: DeltaPlan
    part: DeltaPart


class DeltaParts:
    """Runs the parts of all deltas.

    Args:
        bases: mirrors.
        finished: called on the main thread with each delta whose parts are all done.
    """

    def __init__(
        self,
        job: PullJob,
        fetcher: Fetcher,
        bases: tuple[BaseUrl, ...],
        finished: Callable[[DeltaPlan], None],
    ) -> None:
        self._repo = job.repo
        self._progress = job.progress
        self._fetcher = fetcher
        self._bases = bases
        self._finished = finished
        self._waiting: deque[_Job] = deque()
        self._active = 0
        self._left: dict[DeltaName, int] = {}
        self._background: Background[_Job] = Background(job.pool, self._end, max_jobs=_MAX_ACTIVE)

    @property
    def is_busy(self) -> bool:
        """Whether parts wait, arrive or run."""
        return bool(self._waiting or self._active)

    def add(self, plan: DeltaPlan) -> None:
        """Get and apply the parts of a delta that are not here yet."""
        jobs = [_Job(plan, part) for part in plan.parts if not part.is_applied(self._repo)]
        if not jobs:
            self._finished(plan)
            return
        self._left[plan.name] = len(jobs)
        self._waiting.extend(jobs)
        self._start()

    def receive(self, completed: Completed) -> bool:
        """Take the file of a part; return False when the answer belongs to somebody else."""
        job = completed.request.tag
        if not isinstance(job, _Job):
            return False
        if completed.error is not None:
            raise completed.error
        assert completed.body is not None
        self._apply(job, completed.body)
        return True

    def step(self, *, wait: bool) -> None:
        """Take what has ended and start what can be.

        Args:
            wait: whether to wait for the end of one part.
        """
        if wait and len(self._background):
            self._background.wait_for_one()
        self._background.take_ended()
        self._start()

    def salvage(self) -> None:
        """After an error: let what runs end, since its objects serve the next attempt."""
        self._waiting.clear()
        self._background.salvage()

    def _start(self) -> None:
        while self._waiting and self._active < _MAX_ACTIVE:
            job = self._waiting.popleft()
            self._active += 1
            if job.part.inline is not None:
                self._apply(job, None)
                continue
            self._fetcher.submit(
                FetchRequest(
                    part_path(job.plan.name, job.part.number),
                    self._bases,
                    max_bytes=max(job.part.header.size, 1),  # 0 would mean: no limit
                    priority=_PRIORITY,
                    tag=job,
                    immutable=True,
                    check_space=self._repo.store.check_space,
                    keep_as=f"fetch-{self._repo.boot_id}-{job.part.header.raw_checksum.hex()}",
                )
            )

    def _apply(self, job: _Job, body: Body | None) -> None:
        def work() -> _Job:
            if body is None:
                run_part(self._repo, job.part)
            else:
                with body:
                    run_part(self._repo, job.part, body.chunks())
            return job

        self._background.submit(work)

    def _end(self, job: _Job) -> None:
        self._active -= 1
        self._progress.deltas.part_done(job.part.header.size)
        self._left[job.plan.name] -= 1
        if not self._left[job.plan.name]:
            self._finished(job.plan)
