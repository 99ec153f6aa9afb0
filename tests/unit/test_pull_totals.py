"""What a commit says about the sizes of its objects is believed as far as it is of use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pyostree import Checksum, CommitOptions, MemoryTree, Progress, Repo, RepoMode, Variant
from pyostree.formats.object_sizes import ObjectSize, encode_object_size
from pyostree.formats.objects import ObjectName, ObjectType
from pyostree.pull.totals import sum_listed
from repo_lab import must, reference
from web_lab import serving

Change = Callable[[list[bytes]], list[bytes]]


def tree() -> MemoryTree:
    made = MemoryTree()
    for number in range(5):
        made.add_file(f"/file{number}", os.urandom(1000 + number))
    return made


@pytest.fixture
def source(tmp_path: Path) -> Repo:
    return Repo.create(tmp_path / "source", RepoMode.ARCHIVE)


def files(repo: Repo, commit: Checksum) -> set[Checksum]:
    return {one.checksum for one in repo.view(commit).walk() if hasattr(one, "size")}


def on_disk(repo: Repo, commit: Checksum) -> int:
    root = Path(repo.path) / "objects"
    names = [str(name) for name in files(repo, commit)]
    return sum((root / name[:2] / f"{name[2:]}.filez").stat().st_size for name in names)


def with_sizes(repo: Repo, change: Change) -> Checksum:
    """Return a commit whose list of sizes is not what it should be."""
    good = repo.commit(tree(), "main", CommitOptions(generate_sizes=True)).checksum
    entries = repo.load_commit(good).lookup("ostree.sizes")
    assert entries is not None
    of_files = [entry for entry in entries.value if entry[-1] == ObjectType.FILE]
    metadata = {"ostree.sizes": Variant("aay", change(of_files))}
    layer = MemoryTree()
    base = CommitOptions(base=str(good))
    return repo.commit(layer, "main", base, metadata=metadata, parent="none").checksum


def test_sum_is_that_of_the_files_to_fetch(source: Repo) -> None:
    commit = source.commit(tree(), "main", CommitOptions(generate_sizes=True)).checksum
    assert sum_listed(source, [commit], files(source, commit)) == on_disk(source, commit)
    assert sum_listed(source, [commit], set()) == 0


def test_sum_over_commits_counts_each_file_once(source: Repo) -> None:
    sized = CommitOptions(generate_sizes=True)
    first = source.commit(tree(), "main", sized).checksum
    second = source.commit(tree(), "main", sized).checksum
    wanted = files(source, first) | files(source, second)
    total = on_disk(source, first) + on_disk(source, second)
    assert sum_listed(source, [second, first, second], wanted) == total
    assert sum_listed(source, [second], wanted) is None
    missing = Checksum(bytes(32))  # a parent that nobody has
    assert sum_listed(source, [missing, second], files(source, second)) is not None


def test_commit_without_sizes_tells_nothing(source: Repo) -> None:
    commit = source.commit(tree(), "main").checksum
    assert sum_listed(source, [commit], files(source, commit)) is None


def too_large(entries: list[bytes]) -> list[bytes]:
    name = ObjectName(Checksum(entries[0][:32]), ObjectType.FILE)
    return [encode_object_size(ObjectSize(name, 1 << 63, 1)), *entries[1:]]


BAD: dict[str, Change] = {
    "one is missing": lambda entries: entries[1:],
    "none": lambda entries: [],
    "too short": lambda entries: [entry[:32] for entry in entries],
    "endless number": lambda entries: [entry[:32] + b"\xff" * 40 for entry in entries],
    "no checksum": lambda entries: [b"", b"x"],
    "too large to be true": too_large,
}


@pytest.mark.parametrize("change", BAD.values(), ids=list(BAD))
def test_wrong_sizes_are_no_obstacle(source: Repo, tmp_path: Path, change: Change) -> None:
    commit = with_sizes(source, change)
    seen: list[Progress] = []
    with serving(tmp_path / "source") as web, Repo.create(tmp_path / "mine") as repo:
        repo.disable_fsync()
        repo.remotes.add("origin", web.url, gpg_verify=False)
        repo.pull("origin", commit, progress=seen.append)
        assert repo.fsck().is_clean
    assert all(one.bytes_total is None or one.is_estimate for one in seen)


def test_bytes_of_deltas_are_known_before_they_are_fetched(source: Repo, tmp_path: Path) -> None:
    source.commit(tree(), "main")
    words = ["static-delta", "generate", f"--repo={source.path}", "--empty", "main"]
    must(reference(*words, "--inline"))
    must(reference(*words[:2], f"--repo={source.path}", "--empty", "main"))
    source.update_summary()
    seen: list[Progress] = []
    with serving(tmp_path / "source") as web, Repo.create(tmp_path / "mine") as repo:
        repo.disable_fsync()
        repo.remotes.add("origin", web.url, gpg_verify=False)
        result = repo.pull("origin", "main", progress=seen.append)
    assert result.delta_parts == 1
    totals = [one for one in seen if one.bytes_total is not None]
    first = totals[0]
    assert first.bytes_total is not None
    assert not first.is_estimate
    assert first.bytes_done < first.bytes_total
    assert first.bytes_total >= 5000
    assert totals[-1].bytes_done == totals[-1].bytes_total
