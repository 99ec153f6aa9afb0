"""Names and directories of static deltas."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyostree.formats.objects import Checksum
from pyostree.repo.delta_dirs import (
    DeltaName,
    delete_delta,
    delta_path,
    iter_deltas,
    parse_delta_name,
)
from pyostree.repo.delta_index import list_indexes, reindex
from pyostree.repo.repo import Repo
from repo_lab import make_repo

_ONE = Checksum(bytes.fromhex("fd4c802156edc3259bbaba660e7760003adbc68bbf29dbeacdb19f2dcf105446"))
_TWO = Checksum(bytes.fromhex("1a94f265a56eb768d714f5a73b82c988a11d453bcec3f985502b48296d4d217d"))
_ONE_TEXT = "_UyAIVbtwyWburpmDndgADrbxou_KdvqzbGfLc8QVEY"
_TWO_TEXT = "GpTyZaVut2jXFPWnO4LJiKEdRTvOw_mFUCtIKW1NIX0"


@pytest.mark.parametrize(
    ("name", "text"),
    [(DeltaName(None, _ONE), _ONE_TEXT), (DeltaName(_ONE, _TWO), f"{_ONE_TEXT}-{_TWO_TEXT}")],
    ids=["from nothing", "between commits"],
)
def test_delta_name_both_ways(name: DeltaName, text: str) -> None:
    assert parse_delta_name(text) == name
    assert delta_path(name) == f"deltas/{text[:2]}/{text[2:]}"


@pytest.mark.parametrize(
    "text", ["", "-", "abc", _ONE_TEXT + "=", "é" * 43, f"{_ONE_TEXT}-", "a-b-c"]
)
def test_delta_name_nonsense_is_none(text: str) -> None:
    assert parse_delta_name(text) is None


def test_iter_deltas_only_with_superblock(tmp_path: Path) -> None:
    path = make_repo(tmp_path / "repo")
    whole, half = DeltaName(None, _ONE), DeltaName(_ONE, _TWO)
    for name in (whole, half):
        (path / delta_path(name)).mkdir(parents=True)
    (path / delta_path(whole) / "superblock").write_bytes(b"")
    (path / "deltas/xx/junk").mkdir(parents=True)
    (path / "deltas/xx/junk/superblock").write_bytes(b"")
    with Repo.open(path) as repo:
        assert list(iter_deltas(repo)) == [whole]
        delete_delta(repo, whole)
        delete_delta(repo, whole)
        assert list(iter_deltas(repo)) == []


def test_what_is_no_delta_or_index_is_left_alone(tmp_path: Path) -> None:
    """Neither listed nor deleted, however much like one it looks."""
    path = make_repo(tmp_path / "repo")
    other_spelling = "b" * 43  # its last two bits belong to no byte
    assert parse_delta_name(other_spelling) is not None
    for text in (_ONE_TEXT, other_spelling):
        directory = path / "deltas" / text[:2] / text[2:]
        directory.mkdir(parents=True)
        (directory / "superblock").write_bytes(b"")
    odd = [
        f"{other_spelling[:2]}/{other_spelling[2:]}.index", f"{_TWO_TEXT[:2]}/{_TWO_TEXT[2:]}",
        f"{_TWO_TEXT[:1]}/{_TWO_TEXT[1:]}.index", "xx/notes.index", "xx/README",
        f"{_ONE_TEXT[:2]}/{_ONE_TEXT[2:]}-{_TWO_TEXT}.index",
    ]  # fmt: skip
    good = f"{_ONE_TEXT[:2]}/{_ONE_TEXT[2:]}.index"
    stale = f"{_TWO_TEXT[:2]}/{_TWO_TEXT[2:]}.index"
    for name in (*odd, stale):
        file = path / "delta-indexes" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    with Repo.open(path) as repo:
        assert list(iter_deltas(repo)) == [DeltaName(None, _ONE)]
        assert list_indexes(repo) == [_TWO]
        reindex(repo)
        assert list_indexes(repo) == [_ONE]
    left = {str(one.relative_to(path / "delta-indexes")) for one in path.glob("delta-indexes/*/*")}
    assert left == {good, *odd}
