"""Rows of the summary before are taken over only where they are known to be right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import ObjectNotFoundError, OstreeError
from pyostree.formats.gvariant import Variant
from pyostree.formats.summary import SummaryRef, decode_summary, encode_summary
from pyostree.repo.repo import Repo
from pyostree.repo.summary import read_summary, update_summary
from repo_lab import commit, make_repo, write_files

NOTE = "tmp/cache/summary-made"


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    path = make_repo(tmp_path / "repo")
    tree = write_files(tmp_path / "tree", {"a": "content"})
    for branch in ("one", "two/x"):
        commit(path, "-b", branch, f"--tree=dir={tree}", "--add-metadata-string=version=1.0")
    for number in range(100):  # rows of a short summary are not worth remembering
        copy = path / f"refs/heads/x{number}"
        copy.write_bytes((path / "refs/heads/two/x").read_bytes())
    with Repo.open(path) as opened:
        update_summary(opened)
        yield opened


def test_short_summary_leaves_no_note(tmp_path: Path) -> None:
    path = make_repo(tmp_path / "repo")
    commit(path, "-b", "one", f"--tree=dir={write_files(tmp_path / 'tree', {'a': 'b'})}")
    with Repo.open(path) as opened:
        update_summary(opened)
    assert not (path / NOTE).exists()


def refs(repo: Repo) -> tuple[SummaryRef, ...]:
    return decode_summary(read_summary(repo)).refs


def commit_path(repo: Repo, name: str) -> Path:
    checksum = str(repo.resolve(name))
    return Path(repo.path) / f"objects/{checksum[:2]}/{checksum[2:]}.commit"


def test_unchanged_refs_are_not_read_again(repo: Repo) -> None:
    before = refs(repo)
    path = commit_path(repo, "one")
    path.write_bytes(b"\0" * path.stat().st_size)  # nobody looks
    update_summary(repo)
    assert refs(repo) == before


def test_commit_of_another_size_is_read_and_refused(repo: Repo) -> None:
    commit_path(repo, "one").write_bytes(b"")
    with pytest.raises(OstreeError):
        update_summary(repo)


def test_missing_commit_is_an_error(repo: Repo) -> None:
    commit_path(repo, "two/x").unlink()
    with pytest.raises(ObjectNotFoundError):
        update_summary(repo)


def test_changed_ref_gets_a_new_row(repo: Repo, tmp_path: Path) -> None:
    made = commit(Path(repo.path), "-b", "one", "--tree=ref=two/x", "-s", "new")
    update_summary(repo)
    assert str(refs(repo)[0].checksum) == made
    assert refs(repo)[0].metadata[0][0] == "ostree.commit.timestamp"


@pytest.mark.parametrize("note", [None, "", "1 0000\n", "directory"])
def test_summary_of_somebody_else_counts_for_nothing(repo: Repo, note: str | None) -> None:
    before = refs(repo)
    summary = decode_summary(read_summary(repo))
    lie = before[0]._replace(metadata=(("lie", Variant("s", "yes")),))
    forged = encode_summary(summary._replace(refs=(lie, *before[1:])))
    (Path(repo.path) / "summary").write_bytes(forged)
    path = Path(repo.path) / NOTE
    if note == "directory":
        path.unlink()
        path.mkdir()
    elif note is None:
        path.unlink()
    else:
        path.write_text(note)
    update_summary(repo)
    assert refs(repo) == before


def test_repository_without_cache_works(repo: Repo) -> None:
    before = refs(repo)
    (Path(repo.path) / NOTE).unlink()
    (Path(repo.path) / "tmp/cache").rmdir()
    update_summary(repo)
    assert refs(repo) == before
