"""Ordered work on a pool of threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pyostree.repo.parallel import batches, map_batches, map_ordered, worker_count, worker_pool


def test_map_ordered_uneven_work_keeps_input_order() -> None:
    def work(number: int) -> int:
        time.sleep(0.01 if number % 3 == 0 else 0)
        return number * 2

    with worker_pool(4) as pool:
        assert list(map_ordered(pool, work, range(30), ahead=5)) == [n * 2 for n in range(30)]


def test_map_ordered_slow_reader_never_more_than_ahead_taken() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    with worker_pool(2) as pool:
        results = map_ordered(pool, lambda item: item, items(), ahead=3)
        for done, _ in enumerate(results):
            assert len(taken) <= done + 3


def test_map_batches_error_is_raised_in_its_turn_and_rest_is_cancelled() -> None:
    started = []
    lock = threading.Lock()

    def work(number: int) -> int:
        with lock:
            started.append(number)
        if number == 10:
            raise ValueError("ten")
        return number

    seen: list[int] = []
    with worker_pool(2) as pool, pytest.raises(ValueError, match="ten"):
        seen.extend(map_batches(pool, work, range(10_000), batch=4, ahead=2))
    assert seen == list(range(8))
    assert len(started) < 40


def test_batches_last_is_shorter() -> None:
    assert list(batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batches([], 3)) == []


def test_worker_count_is_positive() -> None:
    assert worker_count() >= 1
