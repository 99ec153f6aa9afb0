"""`PullMeter`: rate and time left of a running pull, measured from its counters."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from pyostree.pull.progress import PullPhase, PullProgress

# Long enough to outlast a pause of the server, short enough to follow it when it gets faster.
_WINDOW_S = 10.0
_MIN_STEP_S = 0.1  # samples closer than this would only fill the memory
_MIN_RATE_S = 1.0
# An estimate from the first moments would jump about.
_MIN_FETCH_S = 2.0
_MIN_OBJECTS = 20
_MIN_FRACTION = 0.01
# Beyond, a number says nothing but that nothing comes.
_MAX_LEFT_S = 7 * 24 * 3600
# A new estimate replaces the old one within this time, bit by bit.
_SETTLE_S = 5.0
# So many objects tell what the others weigh, or so large a part of a small pull.
_SAMPLE_OBJECTS = 100
_SAMPLE_PART = 0.05
_ALL = 100


class PullSnapshot(NamedTuple):
    """How far a pull is, for people and programs.

    Attributes:
        objects: metadata and content objects that came or were copied.
        objects_total: None while more may turn up.
        bytes_done: of the objects, as they come over the network.
        bytes_total: None when not known; see `is_estimate`.
        is_estimate: `bytes_total` is the average of what came, times what is to come.
        rate: bytes a second, lately; None when it is too early to say.
        eta_s: seconds left; None when nothing can be said.
        elapsed_s: since the pull began.
    """

    phase: PullPhase
    objects: int
    objects_total: int | None
    bytes_done: int
    bytes_total: int | None
    is_estimate: bool
    rate: int | None
    eta_s: int | None
    elapsed_s: float

    @property
    def fraction(self) -> float | None:
        """Part that is done, from 0 to 1, by bytes if their total is known; None: no total."""
        if self.objects_total is None:
            return None
        if self.bytes_total and not self.is_estimate:
            return self.bytes_done / self.bytes_total
        return self.objects / self.objects_total if self.objects_total else 1.0

    @property
    def percent(self) -> int | None:
        """The same in whole percent; 100 only when every object is there."""
        fraction = self.fraction
        if fraction is None:
            return None
        is_whole = self.objects == self.objects_total
        return min(int(fraction * _ALL), _ALL if is_whole else _ALL - 1)


class _Sample(NamedTuple):
    time_s: float
    objects: int
    bytes_done: int


class PullMeter:
    """Watches the counters of a pull, or of several, one after the other.

    Times are on the clock of `PullProgress.started_s`.
    """

    def __init__(self) -> None:
        self._progress: PullProgress | None = None
        self._samples: deque[_Sample] = deque()
        self._fetch_start: _Sample | None = None
        self._left_s: float | None = None
        self._left_at_s = 0.0

    def measure(self, progress: PullProgress, now_s: float) -> PullSnapshot:
        """Return how far the pull is at `now_s`, which must not decrease."""
        if progress is not self._progress:
            self._progress = progress
            self._samples.clear()
            self._fetch_start = self._left_s = None
        sample = _Sample(now_s, progress.done, progress.bytes_done)
        self._add(sample)
        objects_total = progress.objects_total
        if objects_total is not None:
            objects_total = max(objects_total, sample.objects)
            if self._fetch_start is None:
                self._fetch_start = sample
        bytes_total, is_estimate = progress.bytes_total, False
        if bytes_total is None:
            bytes_total = self._estimate_bytes(sample, objects_total)
            is_estimate = bytes_total is not None
        if bytes_total is not None:
            bytes_total = max(bytes_total, sample.bytes_done)  # what is retried counts twice
        snapshot = PullSnapshot(
            phase=progress.phase,
            objects=sample.objects,
            objects_total=objects_total,
            bytes_done=sample.bytes_done,
            bytes_total=bytes_total,
            is_estimate=is_estimate,
            rate=self._rate(sample),
            eta_s=None,
            elapsed_s=max(now_s - progress.started_s, 0.0),
        )
        return snapshot._replace(eta_s=self._settled_left_s(snapshot, sample))

    def _add(self, sample: _Sample) -> None:
        samples = self._samples
        if not samples or sample.time_s - samples[-1].time_s >= _MIN_STEP_S:
            samples.append(sample)
        while len(samples) > 1 and samples[1].time_s <= sample.time_s - _WINDOW_S:
            samples.popleft()

    def _rate(self, sample: _Sample) -> int | None:
        oldest = self._samples[0]
        elapsed_s = sample.time_s - oldest.time_s
        if elapsed_s < _MIN_RATE_S:
            return None
        return max(int((sample.bytes_done - oldest.bytes_done) / elapsed_s), 0)

    def _estimate_bytes(self, sample: _Sample, objects_total: int | None) -> int | None:
        start = self._fetch_start
        if start is None or objects_total is None:
            return None
        if sample.objects == objects_total:
            return sample.bytes_done or None
        came = sample.objects - start.objects
        size = sample.bytes_done - start.bytes_done
        is_fair = came >= min(_SAMPLE_OBJECTS, (objects_total - start.objects) * _SAMPLE_PART)
        if not came or not is_fair or size <= 0:
            return None
        return sample.bytes_done + size * (objects_total - sample.objects) // came

    def _settled_left_s(self, snapshot: PullSnapshot, sample: _Sample) -> int | None:
        """Return the time left, which moves slowly towards what the last seconds say."""
        left_s = self._left_now_s(snapshot, sample)
        if left_s is None or left_s > _MAX_LEFT_S:
            self._left_s = None
            return None
        if self._left_s is not None:
            passed_s = sample.time_s - self._left_at_s
            expected_s = max(self._left_s - passed_s, 1.0)
            # In proportion: hours that were wrong are gone as fast as minutes.
            ratio = max(left_s, 1.0) / expected_s
            left_s = expected_s * ratio ** min(passed_s / _SETTLE_S, 1.0)
        self._left_s, self._left_at_s = left_s, sample.time_s
        return round(left_s)

    def _left_now_s(self, snapshot: PullSnapshot, sample: _Sample) -> float | None:
        start, oldest = self._fetch_start, self._samples[0]
        if start is None or snapshot.phase not in (PullPhase.SCAN, PullPhase.FETCH):
            return None
        if sample.time_s - start.time_s < _MIN_FETCH_S:
            return None
        if snapshot.bytes_total is None or snapshot.is_estimate:
            assert snapshot.objects_total is not None
            total, done, before = snapshot.objects_total, sample.objects, oldest.objects
            if done - start.objects < _MIN_OBJECTS:
                return None
        else:
            total, done, before = snapshot.bytes_total, sample.bytes_done, oldest.bytes_done
            if done - start.bytes_done < total * _MIN_FRACTION:
                return None
        if done <= before:
            return None
        return (total - done) * (sample.time_s - oldest.time_s) / (done - before)
