"""Rate and time left of a pull, on a clock that the test moves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.pull.meter import PullMeter, PullSnapshot
from pyostree.pull.progress import PullPhase, PullProgress

DAY_S = 24 * 3600


class Pull:
    """A pull whose counters and clock are moved by hand."""

    def __init__(self, objects_total: int | None = None, bytes_total: int | None = None) -> None:
        self.now_s = 1000.0
        self.progress = PullProgress(started_s=self.now_s, is_local=False)
        self.meter = PullMeter()
        if objects_total is not None:
            self.begin(objects_total, bytes_total)

    def begin(self, objects_total: int, bytes_total: int | None) -> None:
        self.progress.phase = PullPhase.FETCH
        self.progress.is_scanning = False
        self.progress.objects_total = objects_total
        self.progress.content_wanted = objects_total
        self.progress.bytes_total = bytes_total
        self.look()

    def look(self) -> PullSnapshot:
        return self.meter.measure(self.progress, self.now_s)

    def go(self, seconds: float, objects: float = 0, size: float = 0) -> PullSnapshot:
        """Let time pass in which so much comes, evenly, with four looks a second."""
        start = (self.now_s, self.progress.content_fetched, self.progress.bytes_done)
        steps = max(int(seconds * 4), 1)
        for step in range(1, steps + 1):
            self.now_s = start[0] + seconds * step / steps
            self.progress.content_fetched = start[1] + int(objects * step / steps)
            self.progress.bytes_done = start[2] + int(size * step / steps)
            found = self.look()
        return found


def test_nothing_is_estimated_before_totals_are_known() -> None:
    pull = Pull()
    found = pull.go(30, objects=500, size=1_000_000)
    assert (found.objects_total, found.bytes_total, found.eta_s) == (None, None, None)
    assert (found.fraction, found.percent) == (None, None)
    assert found.rate == pytest.approx(33_333, rel=0.05)


def test_nothing_is_estimated_in_the_first_moments() -> None:
    pull = Pull(1000, 1_000_000)
    found = pull.go(1.5, objects=100, size=100_000)
    assert found.eta_s is None


def test_time_left_follows_bytes_where_their_total_is_known() -> None:
    pull = Pull(1000, 100_000_000)
    found = pull.go(10, objects=900, size=10_000_000)
    assert found.eta_s == pytest.approx(90, abs=3)
    assert found.percent == 10


def test_time_left_follows_objects_where_only_they_are_known() -> None:
    pull = Pull(1000)
    found = pull.go(10, objects=100)
    assert found.eta_s == pytest.approx(90, abs=3)
    assert found.percent == 10
    assert found.bytes_total is None


def test_bytes_are_estimated_from_a_fair_sample_and_marked() -> None:
    pull = Pull(10_000)
    found = pull.go(1, objects=50, size=50_000)
    assert (found.bytes_total, found.is_estimate) == (None, False)
    found = pull.go(1, objects=50, size=50_000)
    assert (found.bytes_total, found.is_estimate) == (10_000_000, True)
    found = pull.go(99, objects=9_900, size=9_900_000)
    assert (found.bytes_done, found.bytes_total) == (10_000_000, 10_000_000)


def test_metadata_does_not_count_as_sample_of_the_content() -> None:
    pull = Pull()
    pull.go(1, objects=1000, size=10_000)  # dirtrees, tiny ones
    pull.begin(2000, None)
    found = pull.go(2, objects=500, size=5_000_000)
    assert found.bytes_total == 10_010_000


def test_rate_is_that_of_the_last_seconds() -> None:
    pull = Pull(10_000, 1_000_000_000)
    pull.go(60, objects=10, size=60_000)
    found = pull.go(12, objects=1000, size=12_000_000)
    assert found.rate == pytest.approx(1_000_000, rel=0.05)


def test_a_slow_start_does_not_spoil_the_estimate_for_good() -> None:
    pull = Pull(1000, 101_000_000)
    pull.go(100, objects=10, size=1_000_000)
    found = pull.go(20, objects=200, size=20_000_000)
    assert found.eta_s == pytest.approx(80, rel=0.2)


def test_nothing_comes_so_nothing_is_said() -> None:
    pull = Pull(1000, 100_000_000)
    pull.go(10, objects=100, size=10_000_000)
    found = pull.go(15)
    assert (found.eta_s, found.rate) == (None, 0)


@pytest.mark.parametrize("bytes_total", [None, 10**15], ids=["objects", "bytes"])
def test_no_number_that_says_nothing(bytes_total: int | None) -> None:
    pull = Pull(10**12, bytes_total)
    found = pull.go(30, objects=30, size=3000)
    assert found.eta_s is None


def test_what_is_retried_never_exceeds_the_total() -> None:
    pull = Pull(10, 1000)
    found = pull.go(5, objects=9, size=1500)
    assert (found.bytes_done, found.bytes_total) == (1500, 1500)
    assert found.percent == 99  # an object is missing


def test_all_objects_are_all_percent() -> None:
    pull = Pull(10, 1000)
    assert pull.go(5, objects=10, size=1000).percent == 100


def test_nothing_to_get_is_all_of_it() -> None:
    pull = Pull(0)
    assert pull.look().percent == 100


def test_estimate_is_steady_when_arrivals_are_not() -> None:
    """A server that pauses every other second still counts down in readable steps."""
    pull = Pull(100_000, 100_000_000)
    pull.go(12, objects=6000, size=6_000_000)
    shown = []
    for _ in range(40):
        shown.append(pull.go(1, objects=1000, size=1_000_000).eta_s)
        shown.append(pull.go(1).eta_s)
    left = [eta for eta in shown if eta is not None]
    assert len(left) == len(shown)
    # Two steps back at most 15 % in what is shown, and downwards on the whole.
    assert all(after <= before * 1.15 + 3 for before, after in itertools.pairwise(left))
    assert left[-1] < left[len(left) // 2] < left[0]


def arrivals() -> Iterator[st.SearchStrategy[object]]:
    yield st.floats(0, 1e6, allow_nan=False)
    yield st.integers(0, 10**6)
    yield st.integers(0, 10**12)


@given(
    st.integers(0, 10**9),
    st.none() | st.integers(0, 2**63),
    st.lists(st.tuples(*arrivals()), max_size=30),
)
def test_whatever_comes_the_numbers_stay_sane(
    objects_total: int, bytes_total: int | None, steps: list[tuple[float, int, int]]
) -> None:
    pull = Pull(objects_total, bytes_total)
    for seconds, objects, size in steps:
        pull.now_s += seconds
        pull.progress.content_fetched += objects
        pull.progress.bytes_done += size
        found = pull.look()
        assert found.eta_s is None or 0 <= found.eta_s <= 7 * DAY_S
        assert found.rate is None or found.rate >= 0
        assert found.percent is not None
        assert 0 <= found.percent <= 100
        assert found.bytes_total is None or found.bytes_done <= found.bytes_total


def test_another_pull_is_measured_afresh() -> None:
    first, second = Pull(1000, 100_000_000), Pull(10, 5000)
    first.go(10, objects=900, size=90_000_000)
    second.meter, second.now_s = first.meter, first.now_s
    found = second.go(2, objects=1, size=1000)
    assert found.rate == 500
    assert found.eta_s is None or found.eta_s > 5


def test_samples_stay_few() -> None:
    pull = Pull(10**6, 10**9)
    for _ in range(100_000):
        pull.now_s += 0.01
        pull.look()
    assert len(pull.meter._samples) < 120
