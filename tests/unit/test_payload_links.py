"""Payload links: equal content shares its blocks, whatever the metadata."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.repo_lab import commit, make_repo, must, object_names, ours, reference

from pyostree.formats.file_header import FileHeader, encode_header
from pyostree.formats.objects import Checksum
from pyostree.fs import kernel
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.repo.modes import RepoMode
from pyostree.repo.store import base, open_store, payload_links
from pyostree.repo.store.base import ObjectStore
from pyostree.repo.store.payload_links import parse_payload_link
from pyostree.repo.store.records import StoreSettings

CONTENT = bytes(range(256)) * 8
PAYLOAD = hashlib.sha256(CONTENT).hexdigest()
OWNER = (os.geteuid(), os.getegid())


class Clones:
    """Stands in for a file system that shares blocks; counts how often."""

    def __init__(self) -> None:
        self.count = 0
        self.is_off = False

    def clone(self, source_fd: int, target_fd: int) -> bool:
        if self.is_off:
            return False
        size = os.fstat(source_fd).st_size
        os.ftruncate(target_fd, 0)
        os.pwrite(target_fd, os.pread(source_fd, size, 0), 0)
        self.count += 1
        return True


@pytest.fixture
def clones(monkeypatch: pytest.MonkeyPatch) -> Clones:
    made = Clones()
    monkeypatch.setattr(payload_links, "clone_file", made.clone)
    return made


@pytest.fixture(params=[RepoMode.BARE, RepoMode.BARE_USER], ids=lambda mode: mode.value)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    with make_store(tmp_path, request.param) as made:
        yield made.store


class make_store:  # noqa: N801  # used as a function
    """A store that shares content from 1000 bytes on."""

    def __init__(self, top: Path, mode: RepoMode, min_bytes: int = 1000) -> None:
        (top / "objects").mkdir()
        (top / "tmp").mkdir()
        self._dirs = Dir.at(top / "objects"), Dir.at(top / "tmp")
        settings = StoreSettings(mode, payload_link_min_bytes=min_bytes)
        self.store = open_store(self._dirs[0], settings, None)
        self.store.temp = self._dirs[1]

    def __enter__(self) -> make_store:
        return self

    def __exit__(self, *_: object) -> None:
        for directory in self._dirs:
            directory.close()


def put(store: ObjectStore, bits: int, content: bytes = CONTENT, *, how: str = "put") -> Checksum:
    header = FileHeader(*OWNER, 0o100000 | bits)
    checksum = Checksum(hashlib.sha256(encode_header(header) + content).digest())
    match how:
        case "put":
            assert store.put_content(checksum, header, content)
        case "stream":
            assert store.write_content(header, iter((content,)), size=len(content)).is_new
        case "trusted":
            chunks = iter((content,))
            assert store.write_trusted_content(checksum, header, chunks, size=len(content))
    with store.open_content(checksum) as opened:
        assert b"".join(opened.chunks()) == content
        assert opened.header == header
    return checksum


def link_of(store: ObjectStore, payload: str = PAYLOAD) -> str:
    return store.objects.read_link(f"{payload[:2]}/{payload[2:]}.payload-link")


@pytest.mark.parametrize("how", ["put", "stream", "trusted"])
def test_equal_content_is_cloned_from_the_first(
    store: ObjectStore, clones: Clones, how: str
) -> None:
    first = put(store, 0o644, how=how)
    assert parse_payload_link(link_of(store)) == first
    before = clones.count
    put(store, 0o600, how=how)
    assert clones.count == before + 1
    assert parse_payload_link(link_of(store)) == first


def test_content_below_the_threshold_has_no_link(store: ObjectStore, clones: Clones) -> None:
    put(store, 0o644, b"x" * 999)
    assert clones.count == 0
    assert [name for name in store.iter_objects() if name.type.name == "PAYLOAD_LINK"] == []


def test_file_system_that_shares_nothing_gets_no_links(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload_links, "clone_file", lambda _source, _target: False)
    put(store, 0o644)
    assert len(list(store.iter_objects())) == 1


@pytest.mark.parametrize("mode", [RepoMode.ARCHIVE, RepoMode.BARE_USER_ONLY])
def test_other_modes_have_no_links(tmp_path: Path, clones: Clones, mode: RepoMode) -> None:
    with make_store(tmp_path, mode) as made:
        header = FileHeader(0, 0, 0o100644)
        checksum = Checksum(hashlib.sha256(encode_header(header) + CONTENT).digest())
        made.store.put_content(checksum, header, CONTENT)
        assert len(list(made.store.iter_objects())) == 1
    assert clones.count == 0


def test_link_to_a_vanished_object_is_replaced(store: ObjectStore, clones: Clones) -> None:
    first = put(store, 0o644)
    text = str(first)
    store.objects.remove(f"{text[:2]}/{text[2:]}.file")
    second = put(store, 0o600)
    assert parse_payload_link(link_of(store)) == second


@pytest.mark.parametrize(
    "target",
    ["../../../etc/passwd", "/etc/passwd", "../zz/" + "0" * 62 + ".file", "x", "../" + "0" * 64],
)
def test_link_to_anything_else_is_not_followed(
    store: ObjectStore, clones: Clones, target: str
) -> None:
    store.objects.make_dir(PAYLOAD[:2])
    store.objects.symlink(target, f"{PAYLOAD[:2]}/{PAYLOAD[2:]}.payload-link")
    before = clones.count
    put(store, 0o644)
    assert clones.count - before <= 1  # the trial whether cloning works
    assert link_of(store) == target


def test_damage_of_the_shared_object_does_not_spread(store: ObjectStore, clones: Clones) -> None:
    text = str(put(store, 0o644))
    path = Path(store.objects.label) / text[:2] / f"{text[2:]}.file"
    path.write_bytes(CONTENT[:-1] + b"\0")
    put(store, 0o600)


def test_sharing_needs_no_free_space(store: ObjectStore, clones: Clones) -> None:
    class Budget:
        left = 3 * len(CONTENT) // 2

        def take(self, size_bytes: int) -> None:
            self.left -= size_bytes

        def give_back(self, size_bytes: int) -> None:
            self.left += size_bytes

    budget = store.budget = Budget()
    put(store, 0o644)
    left = budget.left
    for bits, how in ((0o600, "put"), (0o700, "stream"), (0o755, "trusted")):
        put(store, bits, how=how)
    assert budget.left == left


def test_source_file_is_cloned_and_hashed_as_it_was_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clones = Clones()
    monkeypatch.setattr(base, "clone_file", clones.clone)
    (tmp_path / "file").write_bytes(CONTENT)
    header = FileHeader(*OWNER, 0o100644)
    with (
        make_store(tmp_path, RepoMode.BARE) as made,
        Dir.at(tmp_path) as directory,
        InputFile.open(directory, "file") as file,
    ):
        written = made.store.write_file_content(header, file, size=len(CONTENT))
        assert made.store.hash_content(written.checksum)[1] == written.checksum
    assert clones.count == 1


def test_clone_file_on_a_file_system_without_is_no_error(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w+b") as one, Path("/dev/shm/.none").open("w+b") as other:
        os.unlink("/dev/shm/.none")
        assert kernel.clone_file(one.fileno(), other.fileno()) is False


def test_commands_count_check_and_prune_links_like_reference(
    tmp_path: Path, clones: Clones
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name, bits in (("a", 0o644), ("b", 0o600), ("c", 0o755)):
        (tree / name).write_bytes(CONTENT)
        (tree / name).chmod(bits)
    repo = make_repo(tmp_path / "repo", "bare-user", payload_link_threshold="1000")
    commit(repo, "-b", "x", tree)
    assert sum(name.endswith(".payload-link") for name in object_names(repo)) == 1
    for command in (ours, reference):
        must(command("fsck", f"--repo={repo}", "-q"))
    counted = must(ours("prune", f"--repo={repo}", "--refs-only", "--no-prune"))
    assert counted == "Total objects: 7\nNo unreachable objects"
    clones.is_off = True  # as it is for the reference in these places: links are of no use then
    words = ("prune", f"--repo={repo}", "--refs-only", "--no-prune")
    assert ours(*words) == reference(*words)
    assert "Would delete: 1 objects" in ours(*words).out
    must(ours("refs", f"--repo={repo}", "--delete", "x"))
    wanted = reference("prune", f"--repo={repo}", "--refs-only", "--no-prune").out
    assert ours("prune", f"--repo={repo}", "--refs-only", "--no-prune").out == wanted
    must(ours("prune", f"--repo={repo}", "--refs-only"))
    assert object_names(repo) == set()
