"""Layers of a commit: trees of the repository read on all cores, sizes, totals, order of checks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import (
    CancelledError,
    ConflictError,
    FormatError,
    ObjectNotFoundError,
    OstreeError,
)
from pyostree.formats.commit_message import CommitMessage
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, loose_path
from pyostree.progress import Cancel, Phase, Progress, watch_with
from pyostree.repo.commit import CommitRequest, TreeSource, commit
from pyostree.repo.commit_scan import UNKNOWN, ScanTotals, add_totals, scan_directory
from pyostree.repo.commit_sizes import SizeTable, read_commit_sizes
from pyostree.repo.modifier import CommitModifier
from pyostree.repo.repo import Repo
from pyostree.repo.tree import CommitTree
from repo_lab import check_both, make_repo, make_tree, write_files

MANY = 150


@pytest.fixture(params=["archive", "bare-user"])
def repo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Repo]:
    """A repository with the branch ``base``: more files than travel in one batch."""
    make_repo(tmp_path / "repo", request.param)
    files = {f"many/{number}": f"content {number}" for number in range(MANY)}
    tree = write_files(tmp_path / "tree", {**files, "few/one": "1", "empty": ""})
    (tree / "few/link").symlink_to("one")
    with Repo.open(tmp_path / "repo") as opened:
        commit(opened, CommitRequest("base", (TreeSource("dir", str(tree)),), CommitModifier()))
        yield opened


def take(repo: Repo, modifier: CommitModifier, **options: object) -> Checksum:
    """Commit the tree of ``base`` again."""
    request = CommitRequest("again", ("ref=base",), modifier, **options)  # type: ignore[arg-type]
    return commit(repo, request).checksum


def test_tree_of_a_commit_under_another_owner(repo: Repo, tmp_path: Path) -> None:
    made = take(repo, CommitModifier(owner_uid=7, skip_list=("/few/one",)))
    tree = CommitTree(repo, made)
    for number in range(MANY):
        file = tree.look_up(f"/many/{number}")
        assert file.checksum is not None
        with repo.store.open_content(file.checksum) as content:
            assert b"".join(content.chunks()) == f"content {number}".encode()
            assert content.header.uid == 7
    with pytest.raises(OstreeError):
        tree.look_up("/few/one")
    check_both(tmp_path / "repo")


def test_tree_of_a_commit_as_it_is_reads_no_content(repo: Repo, tmp_path: Path) -> None:
    content = CommitTree(repo, repo.resolve("base")).look_up("/many/7").checksum
    assert content is not None
    path = tmp_path / "repo/objects" / loose_path(content, repo.mode.content_extension)
    path.write_bytes(b"damaged")
    same = repo.load_commit(take(repo, CommitModifier()))
    base = repo.load_commit(repo.resolve("base"))
    assert (same.root_tree, same.root_meta) == (base.root_tree, base.root_meta)
    # Merged over another tree, what is there is looked for but not read either.
    other = write_files(tmp_path / "other", {"many/7": "x", "more": "m"})
    request = CommitRequest("m", (f"dir={other}", "ref=base"), CommitModifier())
    made = commit(repo, request).checksum
    assert CommitTree(repo, made).look_up("/many/7").checksum == content
    path.unlink()
    with pytest.raises(ObjectNotFoundError, match=str(content)):
        commit(repo, request)


def test_tree_of_a_commit_in_the_way_of_another_leaves_the_branch(
    repo: Repo, tmp_path: Path
) -> None:
    other = write_files(tmp_path / "other", {"many": "no directory"})
    for first, second, message in (
        (f"dir={other}", "ref=base", "Can't replace file with directory: many"),
        ("ref=base", f"dir={other}", "Can't replace directory with file: many"),
    ):
        request = CommitRequest("new", (first, second), CommitModifier(owner_uid=3))
        with pytest.raises(ConflictError, match=message):
            commit(repo, request)
        assert repo.resolve_or_none("new") is None
        assert not repo.in_transaction


def test_sizes_reappear_as_sums(repo: Repo) -> None:
    made = take(repo, CommitModifier(owner_uid=7), generate_sizes=True)
    if repo.mode.is_bare:
        with pytest.raises(OstreeError, match=r"No metadata key ostree\.sizes in commit"):
            read_commit_sizes(repo, made)
        return
    found = read_commit_sizes(repo, made)
    assert found.needed == (0, 0, 0)
    assert found.total.objects == MANY + 3 + 3 + 1  # files and link, dirtrees, the one dirmeta
    content = CommitTree(repo, made).look_up("/many/7").checksum
    assert content is not None
    name = ObjectName(content, ObjectType.FILE)
    size = repo.store.object_size(name)
    repo.store.delete(name)
    assert read_commit_sizes(repo, made).needed == (size, len("content 7"), 1)


def test_size_table_counts_the_first_of_a_name_and_forgets() -> None:
    table = SizeTable()
    name = Checksum(bytes(32))

    class Store:
        def object_size(self, wanted: ObjectName) -> int:
            assert wanted == ObjectName(name, ObjectType.FILE)
            return 1000

    table.add(ObjectType.FILE, name, 5)
    table.add(ObjectType.FILE, name, 6)
    table.add(ObjectType.DIRTREE, name, 7)
    ((key, value),) = table.metadata(Store())  # type: ignore[arg-type]
    assert (key, value.type) == ("ostree.sizes", "aay")
    ends = {entry[32:].hex() for entry in value.value}
    assert ends == {"e80705" + "01", "0707" + "02"}
    table.clear()
    assert table.metadata(Store()) == ()  # type: ignore[arg-type]


# -- progress ----------------------------------------------------------------------------------


def reports_of(repo: Repo, *trees: str, modifier: CommitModifier | None = None) -> list[Progress]:
    seen: list[Progress] = []
    request = CommitRequest("seen", trees, modifier or CommitModifier())
    commit(repo, request, watch_with(seen.append))
    return [report for report in seen if report.phase is Phase.READ and report.is_finished]


def test_progress_of_directories_knows_its_end(repo: Repo, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (last,) = reports_of(repo, f"dir={tree}", f"dir={tree}/few")
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    assert (last.done, last.total) == (MANY + 5, MANY + 5)
    assert last.bytes_done == last.bytes_total
    assert last.bytes_total is not None
    assert last.bytes_total < size + 10


def test_progress_of_commits_counts_their_files(repo: Repo, tmp_path: Path) -> None:
    (last,) = reports_of(repo, "ref=base", modifier=CommitModifier(owner_gid=1))
    assert (last.done, last.total, last.bytes_total) == (MANY + 3, MANY + 3, None)
    few = f"dir={tmp_path}/tree/few"
    (last,) = reports_of(repo, few, "ref=base", modifier=CommitModifier(owner_gid=2))
    assert (last.done, last.total, last.bytes_total) == (MANY + 5, MANY + 5, None)
    (last,) = reports_of(repo, few, "ref=base")
    assert last.total is None


def test_progress_hides_no_error_of_a_layer(repo: Repo, tmp_path: Path) -> None:
    show = watch_with(lambda _: None)
    for trees, kind in (
        (("dir=missing",), FileNotFoundError),
        (("ref=missing",), OstreeError),
        ((f"dir={tmp_path}/tree", "nothing"), FormatError),
    ):
        with pytest.raises(kind):
            commit(repo, CommitRequest("x", trees, CommitModifier(owner_uid=1)), show)


@pytest.mark.parametrize("spec", ["dir", "ref"])
def test_cancelled_commit_leaves_no_branch(repo: Repo, tmp_path: Path, spec: str) -> None:
    cancel = Cancel()

    def stop(progress: Progress) -> None:
        if progress.phase is Phase.READ:
            cancel.cancel()

    tree = {"dir": f"dir={tmp_path}/tree", "ref": "ref=base"}[spec]
    request = CommitRequest("stopped", (tree,), CommitModifier(owner_uid=9))
    with pytest.raises(CancelledError):
        commit(repo, request, watch_with(stop, cancel))
    assert repo.resolve_or_none("stopped") is None
    assert not repo.in_transaction


def test_scan_counts_what_can_be_read(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree")
    os.mkfifo(tmp_path / "tree/pipe")
    found = scan_directory(str(tmp_path / "tree"), watch_with())
    files = [
        path for path in (tmp_path / "tree").rglob("*") if path.is_symlink() or not path.is_dir()
    ]
    size = sum(path.stat().st_size for path in files if path.is_file() and not path.is_symlink())
    assert found == ScanTotals(len(files), size)
    assert add_totals(found, found) == (2 * len(files), 2 * size)
    assert add_totals(found, UNKNOWN) == UNKNOWN
    with pytest.raises(FileNotFoundError):
        scan_directory(str(tmp_path / "none"), watch_with())


# -- the order of things -------------------------------------------------------------------------


def test_message_is_composed_after_the_checks_and_before_reading(repo: Repo) -> None:
    calls = []

    def compose() -> CommitMessage:
        calls.append("compose")
        assert not repo.in_transaction
        return CommitMessage("subject", "body")

    def clock() -> int:
        calls.append("clock")
        assert repo.in_transaction
        return 42

    made = repo.load_commit(take(repo, CommitModifier(), compose=compose, clock=clock))
    assert (made.subject, made.body, made.timestamp) == ("subject", "body", 42)
    assert calls == ["compose", "clock"]
    with pytest.raises(ConflictError):
        take(repo, CommitModifier(owner_uid=1, canonical=True), compose=compose)
    request = CommitRequest("x", ("dir=none",), CommitModifier(), compose=compose, clock=clock)
    with pytest.raises(FileNotFoundError):
        commit(repo, request)
    assert calls == ["compose", "clock", "compose"]


def test_composefs_metadata_is_refused_as_by_a_build_without_it(repo: Repo) -> None:
    with pytest.raises(OstreeError, match="composefs is not supported in this ostree build"):
        take(repo, CommitModifier(), composefs=True)
    assert repo.resolve_or_none("again") is None
