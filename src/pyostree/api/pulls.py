"""Pulling as programs do it: names as text, progress as `Progress`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from pyostree.formats.objects import Checksum
from pyostree.progress import Cancel, Pace, Phase, Progress, ProgressCallback, watch_with
from pyostree.pull.from_path import pull_local
from pyostree.pull.from_remote import pull
from pyostree.pull.meter import PullMeter, PullSnapshot
from pyostree.pull.options import PullOptions, Wanted, parse_wanted
from pyostree.pull.progress import PullPhase, PullProgress, PullResult
from pyostree.pull.site import Report
from pyostree.repo.repo import Repo

_INTERVAL_MS = 100


Refs = str | Checksum | Sequence[str | Checksum]


def pull_refs(
    repo: Repo,
    remote: str,
    refs: Refs,
    options: PullOptions | None,
    progress: ProgressCallback | None,
    cancel: Cancel | None,
) -> PullResult:
    """Pull from a remote."""
    report, watch = report_to(progress), watch_with(None, cancel)
    return pull(repo, remote, _wanted(refs), chosen_options(options), report, watch)


def pull_refs_from_path(
    repo: Repo,
    source: str | os.PathLike[str],
    refs: Refs,
    options: PullOptions | None,
    progress: ProgressCallback | None,
    cancel: Cancel | None,
) -> PullResult:
    """Pull from the repository at a path."""
    report, watch = report_to(progress), watch_with(None, cancel)
    return pull_local(
        repo, os.fspath(source), _wanted(refs), chosen_options(options), report, watch
    )


def _wanted(refs: Refs) -> list[Wanted]:
    names = [refs] if isinstance(refs, str | Checksum) else refs
    return parse_wanted("", [str(name) for name in names])[1]


def report_to(progress: ProgressCallback | None) -> Report | None:
    """Return what shows a pull's counters to a caller's function."""
    return None if progress is None else _Listener(progress).update


def chosen_options(options: PullOptions | None) -> PullOptions:
    """Return the caller's options, with an interval that suits programs."""
    chosen = options or PullOptions()
    return chosen._replace(update_interval_ms=chosen.update_interval_ms or _INTERVAL_MS)


class _Listener:
    """Turns the counters of one pull after the other into what `progress` functions are shown."""

    def __init__(self, callback: ProgressCallback) -> None:
        self._callback = callback
        self._meter = PullMeter()
        self._phase: Phase | None = None
        self._phase_began_s = 0.0

    def update(self, counters: PullProgress) -> None:
        now_s = time.monotonic()
        snapshot = self._meter.measure(counters, now_s)
        phase, is_end = _phase(snapshot, self._phase)
        if phase is not self._phase:
            if self._phase is not None:
                self._tell(self._phase, snapshot, counters, is_finished=True)
            self._phase, self._phase_began_s = phase, now_s
        self._tell(phase, snapshot, counters, is_finished=is_end)
        if is_end:
            self._phase = None

    def _tell(
        self, phase: Phase, snapshot: PullSnapshot, counters: PullProgress, *, is_finished: bool
    ) -> None:
        is_scan = phase is Phase.SCAN
        progress = Progress(
            phase,
            counters.scanned if is_scan else snapshot.objects,
            None if is_scan else snapshot.objects_total,
            snapshot.bytes_done,
            None if is_scan else snapshot.bytes_total,
            counters.started_s + snapshot.elapsed_s - self._phase_began_s,
            is_finished,
            is_estimate=snapshot.is_estimate,
            pace=Pace(snapshot.rate, snapshot.eta_s),
        )
        self._callback(progress)


def _phase(snapshot: PullSnapshot, last: Phase | None) -> tuple[Phase, bool]:
    """Return the phase that people are shown, and whether it ends the pull."""
    if snapshot.phase is PullPhase.DONE:
        return last or Phase.SCAN, True
    return Phase(snapshot.phase.value), False
