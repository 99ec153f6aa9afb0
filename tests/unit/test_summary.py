"""Summaries: bytes as the reference writes them, look-ups, text, publishing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pyostree.errors import FormatError, ObjectNotFoundError
from pyostree.formats.commit import Commit, encode_commit
from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.dirtree import Dirtree, encode_dirtree
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum, ObjectType
from pyostree.formats.summary import (
    Summary,
    SummaryRef,
    big_endian_variant,
    decode_summary,
    encode_summary,
    ordered_metadata,
)
from pyostree.formats.summary_text import format_summary
from pyostree.repo import summary as summary_module
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo
from pyostree.repo.summary import publish_summary, read_summary, update_summary

# Written by the reference: one ref, no deltas, no collection.
REFERENCE = bytes.fromhex(
    "6d61696e00000000ae000000000000005217829457d1c2dd66744d65b05c98e3957ad371"
    "32673b5899aa766bc4265cb26f73747265652e636f6d6d69742e76657273696f6e000000"
    "322e3000007316006f73747265652e636f6d6d69742e74696d657374616d700000000000"
    "659352000074181f432805776f73747265652e73756d6d6172792e6d6f64650000000000"
    "617263686976652d7a320000731400006f73747265652e73756d6d6172792e6c6173742d"
    "6d6f64696669656400000000000000006b0366be00741d00000000006f73747265652e73"
    "756d6d6172792e746f6d6273746f6e652d636f6d6d697473000000000000000000006221"
    "000000006f73747265652e73756d6d6172792e696e64657865642d64656c746173000000"
    "0100621e265384ac7800"
)
COMMIT = Checksum(bytes.fromhex("5217829457d1c2dd66744d65b05c98e3957ad37132673b5899aa766bc4265cb2"))
TEXT = f"""\
* main
    Latest Commit (174 bytes):
      {COMMIT}
    Version (ostree.commit.version): 2.0
    Timestamp (ostree.commit.timestamp): 2024-01-02T00:00:00+00

Repository Mode (ostree.summary.mode): archive-z2
Last-Modified (ostree.summary.last-modified): 2026-11-22T22:03:42+00
Has Tombstone Commits (ostree.summary.tombstone-commits): No
ostree.summary.indexed-deltas: true
"""


def test_decode_reference_summary() -> None:
    summary = decode_summary(REFERENCE)
    assert [(ref.name, ref.size, ref.checksum) for ref in summary.refs] == [("main", 174, COMMIT)]
    assert summary.refs[0].timestamp == 1704153600
    assert summary.last_modified == 1795385022
    assert summary.collection_id is None
    assert encode_summary(summary) == REFERENCE
    assert format_summary(summary) == TEXT


def test_built_metadata_has_the_order_of_the_reference() -> None:
    pairs = ordered_metadata(
        [
            ("ostree.summary.last-modified", big_endian_variant(1795385022)),
            ("ostree.summary.mode", Variant("s", "archive-z2")),
            ("ostree.summary.tombstone-commits", Variant("b", False)),
            ("ostree.summary.indexed-deltas", Variant("b", True)),
        ]
    )
    assert pairs == decode_summary(REFERENCE).metadata


def test_find_in_sorted_list() -> None:
    refs = tuple(SummaryRef(name, 1, COMMIT, ()) for name in ("a", "a/b", "b", "é"))
    summary = Summary(refs, (("ostree.summary.collection-id", Variant("s", "org.x.Y")),))
    for ref in refs:
        assert summary.find(ref.name) is ref
        assert summary.find(ref.name, "org.x.Y") is ref
    assert summary.find("c") is None
    assert summary.find("a", "org.other.Z") is None
    assert "* (org.x.Y, a/b)\n" in format_summary(summary)


@pytest.mark.parametrize("cut", [1, 8, 100, 297])
def test_decode_cut_summary_is_refused(cut: int) -> None:
    with pytest.raises(FormatError, match=r"^Invalid summary: "):
        decode_summary(REFERENCE[:cut])


def test_text_of_odd_values() -> None:
    summary = Summary(
        (SummaryRef("r", 1, b"short", ()),),
        (
            ("ostree.summary.mode", Variant("s", "x")),
            ("ostree.summary.last-modified", Variant("s", "no time")),
            ("ostree.summary.expires", Variant("t", 2**64 - 1)),
            ("n", Variant("u", 7)),
        ),
    )
    assert format_summary(summary).splitlines() == [
        "* r",
        "    Latest Commit (1 byte):",
        "      Invalid checksum of length 5 expected 32",
        "",
        "Repository Mode (ostree.summary.mode): Invalid (‘x’)",
        "ostree.summary.last-modified: 'no time'",
        "Expires (ostree.summary.expires): 1969-12-31T23:59:59+00",
        "n: 7",
    ]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.create(tmp_path / "repo", RepoMode.ARCHIVE)


def test_update_empty_repository(repo: Repo) -> None:
    with repo:
        update_summary(repo, metadata=(("k", Variant("s", "v")),))
        summary = decode_summary(read_summary(repo))
        assert summary.refs == ()
        assert summary.lookup_str("k") == "v"
        assert summary.lookup_str("ostree.summary.mode") == "archive-z2"
        assert repo.config.keyfile.get_raw("core", "indexed-deltas") == "true"


def test_update_missing_commit_keeps_the_old_summary(repo: Repo) -> None:
    with repo:
        update_summary(repo)
        before = read_summary(repo)
        heads = repo.dir.open_dir("refs/heads")
        with heads:
            heads.create_file("broken", f"{COMMIT}\n".encode())
        with pytest.raises(ObjectNotFoundError):
            update_summary(repo)
        assert read_summary(repo) == before


def test_publish_unsigned_removes_old_signatures(repo: Repo, tmp_path: Path) -> None:
    with repo:
        publish_summary(repo, b"one", b"sig")
        assert (tmp_path / "repo/summary.sig").read_bytes() == b"sig"
        publish_summary(repo, b"two", None)
        assert (tmp_path / "repo/summary").read_bytes() == b"two"
        assert not (tmp_path / "repo/summary.sig").exists()
        assert [p.name for p in (tmp_path / "repo/tmp").iterdir()] == ["cache"]


def test_update_that_began_earlier_is_published_earlier(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_read, may_go_on = threading.Event(), threading.Event()
    really_list = summary_module._list_refs

    def list_and_wait(*args: object) -> object:
        found = really_list(*args)
        if threading.current_thread() is first:
            has_read.set()
            assert may_go_on.wait(20)
        return found

    def update() -> None:
        with Repo.open(repo.path) as opened:
            update_summary(opened)

    monkeypatch.setattr(summary_module, "_list_refs", list_and_wait)
    first, second = (threading.Thread(target=update) for _ in range(2))
    first.start()
    assert has_read.wait(20)
    with repo.transaction() as transaction:
        meta = repo.write_metadata(ObjectType.DIRMETA, encode_dirmeta(Dirmeta(0, 0, 0o40755)))
        tree = repo.write_metadata(ObjectType.DIRTREE, encode_dirtree(Dirtree()))
        made = Commit((), None, (), "", "", 0, tree, meta)
        transaction.set_ref("new", repo.write_metadata(ObjectType.COMMIT, encode_commit(made)))
    second.start()
    second.join(0.1)
    may_go_on.set()
    first.join()
    second.join()
    assert [ref.name for ref in decode_summary(read_summary(repo)).refs] == ["new"]
