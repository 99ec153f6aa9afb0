"""The pure parts of a pull: requests, bindings, timestamps, subpaths, progress texts."""

from __future__ import annotations

import pytest

from pyostree.errors import (
    ConflictError,
    InvalidNameError,
    NotFoundError,
    VerificationError,
)
from pyostree.formats.commit import Commit
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum
from pyostree.pull.options import PullOptions, Wanted, check_options
from pyostree.pull.progress import PullProgress, PullResult
from pyostree.pull.progress_text import format_progress, format_result
from pyostree.pull.requests import RequestedRef, plan_request
from pyostree.pull.subpaths import is_wanted
from pyostree.pull.timestamps import check_not_older
from pyostree.repo.bindings import check_bindings

ONE = Checksum(b"\1" * 32)
TWO = Checksum(b"\2" * 32)


def commit(**bindings: Variant) -> Commit:
    keys = {"refs": "ostree.ref-binding", "collection": "ostree.collection-binding"}
    metadata = tuple((keys[name], value) for name, value in bindings.items())
    return Commit(metadata, None, (), "", "", 0, ONE, TWO)


class TestPlanRequest:
    def test_refs_and_commits_are_told_apart(self) -> None:
        request = plan_request(
            [Wanted("main"), Wanted(str(ONE)), Wanted("dev", TWO)], (), mirror=False, remote="r"
        )
        assert request.refs == (RequestedRef(None, "main"), RequestedRef(None, "dev", TWO))
        assert request.commits == (ONE,)
        assert request.needs_summary

    def test_same_ref_twice_last_one_counts(self) -> None:
        request = plan_request(
            [Wanted("main"), Wanted("main", ONE)], ("other",), mirror=True, remote="r"
        )
        assert request.refs == (RequestedRef(None, "main", ONE),)
        assert not request.needs_summary
        assert not request.adds_all

    def test_nothing_named_configured_branches(self) -> None:
        request = plan_request([], ("a", "b"), mirror=False, remote="r")
        assert [ref.ref for ref in request.refs] == ["a", "b"]

    def test_nothing_named_mirror_all_refs(self) -> None:
        request = plan_request([], (), mirror=True, remote="r")
        assert request.is_full_mirror
        assert request.needs_summary

    def test_nothing_named_mirror_with_branches_adds_all(self) -> None:
        request = plan_request([], ("a",), mirror=True, remote="r")
        assert request.adds_all
        assert not request.is_full_mirror

    def test_nothing_named_anywhere_error(self) -> None:
        with pytest.raises(NotFoundError, match=r"^No configured branches for remote r$"):
            plan_request([], (), mirror=False, remote="r")

    @pytest.mark.parametrize("name", ["origin:main", "../x", "a//b", "", "-x"])
    def test_bad_ref_name_error(self, name: str) -> None:
        with pytest.raises(InvalidNameError, match=f"^Invalid ref name {name}$"):
            plan_request([Wanted(name)], (), mirror=False, remote="r")


class TestBindings:
    def test_no_bindings_no_collection_accepted(self) -> None:
        check_bindings(commit(), "main", None)

    def test_no_bindings_but_collection_refused(self) -> None:
        with pytest.raises(VerificationError, match="ref binding information, found none"):
            check_bindings(commit(), "main", "org.example.A")

    def test_other_ref_refused(self) -> None:
        bound = commit(refs=Variant("as", ("a", "b")))
        check_bindings(bound, "b", None)
        check_bindings(bound, None, None)
        with pytest.raises(VerificationError) as caught:
            check_bindings(bound, "c", None)
        assert str(caught.value) == (
            "Commit has no requested ref ‘c’ in ref binding metadata (‘a’, ‘b’)"
        )

    def test_empty_list_shown_as_no_refs(self) -> None:
        with pytest.raises(VerificationError, match=r"\(no refs\)"):
            check_bindings(commit(refs=Variant("as", ())), "c", None)

    def test_collection_missing_or_other_refused(self) -> None:
        refs = Variant("as", ("a",))
        with pytest.raises(VerificationError, match="collection ID binding information"):
            check_bindings(commit(refs=refs), "a", "org.example.A")
        other = commit(refs=refs, collection=Variant("s", "org.example.B"))
        with pytest.raises(VerificationError, match=r"‘org\.example\.B’ in collection binding"):
            check_bindings(other, "a", "org.example.A")
        check_bindings(other, "a", "org.example.B")


class TestTimestamps:
    @pytest.mark.parametrize(("old", "new"), [(5, 5), (5, 6), (-10, 0)])
    def test_not_older_accepted(self, old: int, new: int) -> None:
        check_not_older(ONE, old, TWO, new)

    def test_same_commit_accepted_whatever_its_time(self) -> None:
        check_not_older(ONE, 1 << 62, ONE, 1 << 62)

    def test_older_refused_with_both_times(self) -> None:
        with pytest.raises(VerificationError) as caught:
            check_not_older(ONE, 86400, TWO, 0)
        assert str(caught.value) == (
            f"Upgrade target revision '{TWO}' with timestamp 'Thu Jan \u20071 00:00:00 1970' is "
            f"chronologically older than current revision '{ONE}' with timestamp "
            "'Fri Jan \u20072 00:00:00 1970'; use --allow-downgrade to permit"
        )

    def test_no_date_refused(self) -> None:
        with pytest.raises(VerificationError, match=r"is invalid$"):
            check_not_older(ONE, 0, TWO, 1 << 62)


@pytest.mark.parametrize(
    ("path", "is_dir", "wanted"),
    [
        ("/baz", True, True),
        ("/baz", False, False),
        ("/baz/deeper", True, True),
        ("/baz/deeper/x", False, True),
        ("/baz/deeperx", True, False),
        ("/other", True, False),
        ("/file", False, True),
        ("/file", True, True),
    ],
)
def test_is_wanted_subpaths(path: str, is_dir: bool, wanted: bool) -> None:
    assert is_wanted(path, ("/baz/deeper", "/file"), is_dir=is_dir) is wanted


def test_is_wanted_no_subpaths_everything() -> None:
    assert is_wanted("/x", (), is_dir=False)


def test_is_wanted_root_matches_nothing_below() -> None:
    assert not is_wanted("/x", ("/",), is_dir=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (PullOptions(depth=-2), "depth"),
        (PullOptions(subpaths=("usr",)), "start with /"),
        (PullOptions(disable_static_deltas=True, require_static_deltas=True), "both"),
        (PullOptions(timestamp_check=True, depth=1), "timestamps"),
        (PullOptions(dry_run=True), "^--dry-run requires --require-static-deltas$"),
    ],
)
def test_check_options_contradiction_error(options: PullOptions, message: str) -> None:
    with pytest.raises(ConflictError, match=message):
        check_options(options)


class TestTexts:
    def result(self, **changes: int | bool) -> PullResult:
        empty = PullResult(
            is_local=False, metadata=0, content=0, metadata_cached=0, content_cached=0,
            bytes_transferred=0, seconds=0, content_bytes_written=0,
        )  # fmt: skip
        return empty._replace(**changes)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({}, "0 metadata, 0 content objects fetched; 0 bytes content written"),
            (
                {"metadata": 5, "content": 4, "bytes_transferred": 584,
                 "content_bytes_written": 19},
                "5 metadata, 4 content objects fetched; 584 B transferred in 0 seconds; "
                "19 bytes content written",
            ),
            (
                {"metadata": 1, "metadata_cached": 1, "content_cached": 3,
                 "bytes_transferred": 2047, "seconds": 3},
                "1 metadata, 0 content objects fetched (1 meta, 3 content local); "
                "1 KiB transferred in 3 seconds; 0 bytes content written",
            ),
            (
                {"is_local": True, "metadata": 4, "content": 4, "metadata_cached": 4},
                "4 metadata, 4 content objects imported; 0 bytes content written",
            ),
        ],
    )  # fmt: skip
    def test_format_result(self, changes: dict[str, int | bool], text: str) -> None:
        assert format_result(self.result(**changes)) == text

    def test_format_progress_by_state(self) -> None:
        progress = PullProgress(started_s=0, is_local=False)
        progress.scanned = 3
        assert format_progress(progress, 0) == "Scanning metadata: 3"
        progress.metadata_wanted, progress.metadata_fetched = 5, 2
        assert format_progress(progress, 0) == (
            "Receiving metadata objects: 2/(estimating) -/s 0 bytes"
        )
        progress.metadata_fetched, progress.content_wanted = 5, 95
        progress.content_fetched, progress.is_scanning = 45, False
        progress.bytes_transferred = 10_000
        assert format_progress(progress, 10) == (
            "Receiving objects: 50% (50/100) 1.0\u00a0kB/s 10.0\u00a0kB"
        )
        progress.content_fetched, progress.writes = 95, 7
        assert format_progress(progress, 10) == "Writing objects: 7"
        progress.has_failed = True
        assert format_progress(progress, 10) == "Caught error, waiting for outstanding tasks"
