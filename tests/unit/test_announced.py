"""What a server announces of its repositories: their numbers, and the refs of their summaries."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from pyostree.errors import FormatError
from pyostree.formats.bloom import RefHashes
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum
from pyostree.formats.refspec import CollectionRef
from pyostree.formats.summary import (
    COLLECTION_ID,
    COLLECTION_MAP,
    LAST_MODIFIED,
    Summary,
    SummaryRef,
    big_endian_variant,
    collection_map,
    encode_summary,
)
from pyostree.serve.advertise import Advertiser, UnreachableError
from pyostree.serve.announced import AnnouncedRepo
from pyostree.serve.numbers import number_places
from pyostree.serve.sites import Place

OURS, OTHERS = "org.example.Ours", "org.example.Others"


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        ((), ()),
        (("",), (0,)),
        (("", "os", "apps"), (0, 1, 2)),
        (("os", "0", "apps", "1"), (2, 0, 3, 1)),
        (("00", "+1", "\u0661", "65536", "1" * 5000), (0, 1, 2, 3, 4)),
        (("65535", "1.0"), (65535, 0)),
    ],
)
def test_number_places_gives_each_a_number_of_its_own(
    names: Sequence[str], numbers: Sequence[int]
) -> None:
    assert number_places(names) == numbers


def _write(path: Path, *names: str, collection_id: str | None = OURS, modified: int = 7) -> None:
    """Write a summary with these refs, and one of another collection."""
    refs = tuple(SummaryRef(name, 1, Checksum(b"\1" * 32), ()) for name in names)
    metadata = [(LAST_MODIFIED, big_endian_variant(modified))] if modified else []
    if collection_id is not None:
        metadata.append((COLLECTION_ID, Variant("s", collection_id)))
        app = SummaryRef("app", 1, Checksum(b"\2" * 32), ())
        metadata.append((COLLECTION_MAP, collection_map([(OTHERS, (app,))])))
    path.with_name("new").write_bytes(encode_summary(Summary(refs, tuple(metadata))))
    path.with_name("new").rename(path)


def test_record_has_the_refs_of_all_collections(tmp_path: Path) -> None:
    _write(tmp_path / "summary", "a", "b")
    wanted = [CollectionRef(OURS, "a"), CollectionRef(OURS, "b"), CollectionRef(OTHERS, "app")]
    missing = [CollectionRef(OURS, "app"), CollectionRef(OTHERS, "a")]

    with AnnouncedRepo(str(tmp_path), 3) as repo:
        record = repo.record()

    assert record is not None
    assert (record.number, record.summary_modified) == (3, 7)
    assert RefHashes(wanted + missing).select(record.refs) == wanted


def test_record_follows_the_summary(tmp_path: Path) -> None:
    with AnnouncedRepo(str(tmp_path), 0) as repo:
        found = [repo.record()]
        for modified in (1, 2):
            _write(tmp_path / "summary", "a", modified=modified)
            found += [repo.record(), repo.record()]
        (tmp_path / "summary").unlink()
        found.append(repo.record())

    assert [record and record.summary_modified for record in found] == [None, 1, 1, 2, 2, None]


def test_record_without_collection_is_none(tmp_path: Path) -> None:
    _write(tmp_path / "summary", "a", collection_id=None)

    with AnnouncedRepo(str(tmp_path), 0) as repo:
        assert repo.record() is None


def test_record_of_a_summary_without_time_has_that_of_the_file(tmp_path: Path) -> None:
    _write(tmp_path / "summary", "a", modified=0)
    os.utime(tmp_path / "summary", (1_600_000_000, 1_600_000_000))

    with AnnouncedRepo(str(tmp_path), 0) as repo:
        record = repo.record()

    assert record is not None
    assert record.summary_modified == 1_600_000_000


def test_record_of_a_damaged_summary_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "summary").write_bytes(b"\xff" * 5)

    with AnnouncedRepo(str(tmp_path), 0) as repo, pytest.raises(FormatError) as raised:
        repo.record()

    assert raised.value.__notes__ == [str(tmp_path)]


def test_advertiser_of_a_server_on_the_loopback_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="only this machine"):
        Advertiser(["127.0.0.1", "::1"], 80, [Place("", str(tmp_path))])
