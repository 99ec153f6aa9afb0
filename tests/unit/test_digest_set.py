"""`DigestSet` is a set, however its elements are packed."""

from __future__ import annotations

import hashlib
import random

import pytest

from pyostree.formats.objects import Checksum
from pyostree.repo import digest_set
from pyostree.repo.digest_set import DigestSet


def digests(count: int, start: int = 0) -> list[bytes]:
    return [hashlib.sha256(b"%d" % n).digest() for n in range(start, start + count)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be packed and compacted early."""
    monkeypatch.setattr(digest_set, "_MAX_FRESH", 50)
    monkeypatch.setattr(digest_set, "_MIN_LIMIT", 96)


@pytest.mark.usefixtures("small")
def test_holds_what_was_added_once_and_in_order() -> None:
    random.seed(5)
    expected: set[bytes] = set()
    found = DigestSet()
    for _ in range(60):
        group = random.sample(digests(2000), 40)
        expected.update(group)
        found.update(group)
    assert list(found) == sorted(expected)
    assert all(isinstance(one, Checksum) for one in found)
    assert len(found) == len(expected)
    assert all(one in found for one in expected)
    assert not any(one in found for one in digests(100, start=5000))


@pytest.mark.usefixtures("small")
def test_is_looked_at_and_added_to_in_turn() -> None:
    found = DigestSet(digests(200))
    assert len(found) == 200
    found.update(digests(10, start=1000))
    assert len(found) == 210
    assert all(one in found for one in digests(10, start=1000))


@pytest.mark.usefixtures("small")
def test_buckets_hold_the_same_first_byte() -> None:
    found = DigestSet(digests(3000))
    buckets = [found.bucket(first) for first in range(256)]
    assert all(one[0] == first for first, bucket in enumerate(buckets) for one in bucket)
    assert set().union(*buckets) == set(digests(3000))


@pytest.mark.usefixtures("small")
def test_compaction_keeps_the_strings_short() -> None:
    found = DigestSet()
    for _ in range(200):
        found.update(digests(256))
        found._pack()
    assert sum(map(len, found._packed)) <= 4 * 256 * 32


def test_behaves_as_a_set() -> None:
    first, second = DigestSet(digests(10)), DigestSet(digests(10, start=5))
    assert first & second == set(digests(5, start=5))
    assert first == set(digests(10))
    assert not DigestSet()
    assert "text" not in first
    assert b"short" not in first
