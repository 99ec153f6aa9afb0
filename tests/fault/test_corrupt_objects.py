"""Damaged objects of every kind: named in one clear error, never a traceback or a hang."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pyostree.errors import CorruptObjectError, FormatError
from pyostree.formats.commit import Commit, encode_commit
from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.dirtree import Dirtree, encode_dirtree
from pyostree.formats.file_header import FileHeader, encode_archive_header
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.progress import watch_with
from pyostree.repo.commit import commit as make_commit
from pyostree.repo.commit_request import CommitRequest
from pyostree.repo.commit_scan import ScanTotals, scan_tree
from pyostree.repo.modifier import CommitModifier
from pyostree.repo.mutable_tree import RootChecksums
from pyostree.repo.repo import Repo
from pyostree.repo.traverse import Reachable, iter_history
from pyostree.repo.tree import CommitTree
from repo_lab import MODES, Result, commit, copy_tree, make_repo, must, ours, write_files

READERS = (
    ["ls", "-RCX", "main"],
    ["log", "main"],
    ["show", "--raw", "main"],
    ["cat", "main", "dir/file"],
    ["diff", "main^", "main"],
    ["diff", "--stats", "main^", "main"],
    ["prune", "--no-prune", "--refs-only"],
)


@pytest.fixture(scope="module", params=MODES)
def healthy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("healthy")
    repo = make_repo(top / "repo", request.param)
    for number in (1, 2):
        tree = write_files(top / "tree", {"dir/file": "text " * 100, "other": f"{number}"})
        commit(repo, "-b", "main", "--canonical-permissions", tree)
    return repo


def object_path(repo: Path, kind: str) -> Path:
    if kind == "commit":
        checksum = must(ours("rev-parse", f"--repo={repo}", "main"))
    else:
        path = "/dir/file" if kind == "file" else "/dir"
        words = must(ours("ls", f"--repo={repo}", "-dC", "main", path)).split()
        checksum = words[5 if kind == "dirmeta" else 4]
    return next((repo / "objects" / checksum[:2]).glob(f"{checksum[2:]}.{kind}*"))


def cut_to(length: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:length]


def flip_at(share: float) -> Callable[[bytes], bytes]:
    def flip(data: bytes) -> bytes:
        position = min(int(len(data) * share), len(data) - 1)
        return data[:position] + bytes([data[position] ^ 0x41]) + data[position + 1 :]

    return flip


DAMAGES = {
    "empty": cut_to(0),
    "cut to 5": cut_to(5),
    "cut to 20": cut_to(20),
    "cut by 1": lambda data: data[:-1],
    "longer": lambda data: data + b"junk",
    "flip first": flip_at(0),
    "flip quarter": flip_at(0.25),
    "flip middle": flip_at(0.5),
    "flip three quarters": flip_at(0.75),
    "flip last": flip_at(1),
    "garbage": lambda _: b"whoops, this is not an object at all" * 3,
    "ones": lambda data: b"\xff" * len(data),
}


def run(repo: Path, words: list[str]) -> Result:
    """Run a command; whatever it raises that is not expected fails the test."""
    try:
        return ours(words[0], f"--repo={repo}", *words[1:])
    except SystemExit as end:  # a timestamp that no calendar has
        return Result(int(str(end)), "", "error: No such date\n")


@pytest.mark.parametrize("kind", ["commit", "dirtree", "dirmeta", "file"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_object_every_reader_ends_cleanly(
    healthy: Path, tmp_path: Path, kind: str, damage: Callable[[bytes], bytes]
) -> None:
    repo = copy_tree(healthy, tmp_path / "repo")
    path = object_path(repo, kind)
    before = path.read_bytes()
    path.write_bytes(damage(before))
    if path.read_bytes() == before:
        return
    name = path.parent.name + path.stem
    for words in READERS:
        result = run(repo, words)
        assert result.status in (0, 1)
        if result.status == 1:
            assert result.err.splitlines()[-1].startswith("error: ")
            # A flipped bit in a checksum leads to an object that does not exist.
            assert name in result.err or "No such" in result.err or "find" in result.err, words
    is_archive = "archive" in (repo / "config").read_text()
    if kind == "file" and is_archive and damage is DAMAGES["longer"]:
        return  # nobody looks at what follows the compressed data
    for options in ([], ["--all"], ["--delete"]):
        for mark in (repo / "state").iterdir():
            mark.unlink()
        result = run(repo, ["fsck", *options])
        assert result.status == 1, options
        assert name in result.err, options
    assert run(repo, ["fsck"]).status == 1


# -- stores that a forger wrote: names that do not match, so that anything can be said ---------


@pytest.fixture
def forged(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "forged", "archive")


def put(repo: Path, name: ObjectName, data: bytes) -> Checksum:
    text = str(name.checksum)
    extension = "filez" if name.type is ObjectType.FILE else name.type.extension
    path = repo / "objects" / text[:2] / f"{text[2:]}.{extension}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return name.checksum


def fake(number: int) -> Checksum:
    return Checksum(number.to_bytes(32, "big"))


def put_commit(repo: Path, checksum: Checksum, tree: Checksum, parent: Checksum | None) -> None:
    meta = encode_dirmeta(Dirmeta(0, 0, 0o40755))
    meta_sum = Checksum(hashlib.sha256(meta).digest())
    put(repo, ObjectName(meta_sum, ObjectType.DIRMETA), meta)
    data = encode_commit(Commit((), parent, (), "forged", "", 1, tree, meta_sum))
    put(repo, ObjectName(checksum, ObjectType.COMMIT), data)


def put_tree(repo: Path, checksum: Checksum, tree: Dirtree) -> None:
    put(repo, ObjectName(checksum, ObjectType.DIRTREE), encode_dirtree(tree))


META = Checksum(hashlib.sha256(encode_dirmeta(Dirmeta(0, 0, 0o40755))).digest())


def test_directory_that_contains_itself_is_refused(forged: Path) -> None:
    put_tree(forged, fake(1), Dirtree((), (("a", fake(2), META),)))
    put_tree(forged, fake(2), Dirtree((), (("b", fake(1), META),)))
    put_commit(forged, fake(9), fake(1), None)
    with Repo.open(forged) as repo:
        tree = CommitTree(repo, fake(9))
        with pytest.raises(CorruptObjectError, match="contains itself"):
            list(tree.walk(tree.root))
        reachable = Reachable(repo)
        reachable.add_history(fake(9))
        assert len(reachable.dirtrees) == 2
    result = ours("fsck", f"--repo={forged}", "-q", "--all")
    assert result.status == 1
    assert "Corrupted dirtree object" in result.err


def test_directory_that_contains_itself_is_in_no_new_commit(
    forged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tree(forged, fake(1), Dirtree((), (("a", fake(2), META), ("z", fake(3), META))))
    put_tree(forged, fake(2), Dirtree((), (("b", fake(1), META),)))
    put_tree(forged, fake(3), Dirtree())
    put_commit(forged, fake(9), fake(1), None)
    loaded = []
    load = Repo.load_dirtree

    def load_a_few(repo: Repo, checksum: Checksum) -> Dirtree:
        loaded.append(checksum)
        assert len(loaded) < 20, "it goes round and round"
        return load(repo, checksum)

    monkeypatch.setattr(Repo, "load_dirtree", load_a_few)
    with Repo.open(forged) as repo:
        root = RootChecksums(fake(1), META)
        assert scan_tree(repo, root, watch_with()) == ScanTotals(0, None)
        assert sorted(loaded) == [fake(1), fake(2), fake(3)]
        for watch in (watch_with(), watch_with(lambda _: None)):
            loaded.clear()
            request = CommitRequest("new", (f"ref={fake(9)}",), CommitModifier(owner_gid=1))
            with pytest.raises(CorruptObjectError, match="contains itself"):
                make_commit(repo, request, watch)
        assert repo.resolve_or_none("new") is None


def test_commits_that_are_each_other_s_parent_end_every_walk(forged: Path) -> None:
    put_tree(forged, fake(1), Dirtree())
    put_commit(forged, fake(8), fake(1), fake(9))
    put_commit(forged, fake(9), fake(1), fake(8))
    (forged / "refs/heads/main").write_text(f"{fake(9)}\n")
    with Repo.open(forged) as repo:
        assert [checksum for checksum, _ in iter_history(repo, fake(9))] == [fake(9), fake(8)]
    for words in (
        ["prune", "--refs-only", "--no-prune"],
        ["prune", "--refs-only", "--depth=5", "--no-prune"],
        ["prune", "--keep-younger-than=1970-01-01", "--no-prune"],
        ["log", "main"],
        ["rev-parse", "main^^^^^"],
    ):
        assert ours(words[0], f"--repo={forged}", *words[1:]).status == 0, words
    assert ours("fsck", f"--repo={forged}", "-q").status == 1


def test_tree_of_three_thousand_levels_is_walked_without_recursion(forged: Path) -> None:
    depth = 3_000
    put_tree(forged, fake(1), Dirtree((), ()))
    for level in range(2, depth):
        put_tree(forged, fake(level), Dirtree((), (("d", fake(level - 1), META),)))
    put_commit(forged, fake(depth + 1), fake(depth - 1), None)
    (forged / "refs/heads/main").write_text(f"{fake(depth + 1)}\n")
    repo = f"--repo={forged}"
    assert ours("ls", repo, "-R", "--nul-filenames-only", "main").out.count("\0") == depth - 1
    assert "Would delete" not in must(ours("prune", repo, "--refs-only", "--no-prune"))
    must(ours("diff", repo, "main", "main"))
    assert ours("fsck", repo, "-q", "--all").status == 1


@pytest.mark.parametrize("size", [1 << 62, (1 << 64) - 1, 17 << 20])
def test_archived_size_that_is_a_lie_costs_no_memory(forged: Path, size: int) -> None:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(b"small") + packer.flush()
    header = encode_archive_header(FileHeader(0, 0, 0o100644), size)
    put(forged, ObjectName(fake(5), ObjectType.FILE), header + packed)
    with Repo.open(forged) as repo, pytest.raises(FormatError):
        repo.store.hash_content(fake(5))


def test_compressed_bomb_stops_at_the_promised_size(forged: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    for size in (100, 5000, 20 << 20):
        header = encode_archive_header(FileHeader(0, 0, 0o100644), size)
        put(forged, ObjectName(fake(5), ObjectType.FILE), header + packed)
        with Repo.open(forged) as repo, pytest.raises(FormatError, match="Invalid compressed data"):
            repo.store.hash_content(fake(5))
