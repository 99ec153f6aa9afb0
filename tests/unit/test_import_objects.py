"""Copying objects between repositories: linked, copied or rewritten, trusted or not."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import ChecksumMismatchError, FormatError, ObjectNotFoundError
from pyostree.formats.commit import Commit, encode_commit, encode_metadata
from pyostree.formats.file_header import FileHeader
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.fs.dir import Dir
from pyostree.repo.import_objects import Importer
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo

PLAIN = FileHeader(os.geteuid(), os.getegid(), 0o100644)
SETUID = FileHeader(os.geteuid(), os.getegid(), 0o104755)


class Pair:
    """An open source and an open target."""

    def __init__(self, source: Repo, target: Repo) -> None:
        self.source = source
        self.target = target

    def add(self, content: bytes, header: FileHeader = PLAIN) -> ObjectName:
        written = self.source.store.write_content(header, [content], size=len(content))
        return ObjectName(written.checksum, ObjectType.FILE)

    def path(self, repo: Repo, name: ObjectName) -> Path:
        return Path(repo.path) / "objects" / repo.store.path_of(name)

    def importer(self, *, trusted: bool = True, only_bare_user: bool = False) -> Importer:
        return Importer(
            self.source, self.target, is_trusted=trusted, only_bare_user_files=only_bare_user
        )


@pytest.fixture
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    source, target = getattr(request, "param", (RepoMode.BARE_USER, RepoMode.BARE_USER))
    with (
        Repo.create(tmp_path / "source", source) as source_repo,
        Repo.create(tmp_path / "target", target) as target_repo,
    ):
        yield Pair(source_repo, target_repo)


@pytest.mark.parametrize("mode", [RepoMode.BARE, RepoMode.BARE_USER, RepoMode.ARCHIVE])
def test_import_same_mode_links(tmp_path: Path, mode: RepoMode) -> None:
    with (
        Repo.create(tmp_path / "a", mode) as source,
        Repo.create(tmp_path / "b", mode) as target,
    ):
        pair = Pair(source, target)
        name = pair.add(b"content")
        assert pair.importer().import_object(name) == (True, 0)
        assert pair.path(target, name).samefile(pair.path(source, name))
        assert pair.importer().import_object(name) == (False, 0)


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EMLINK, errno.EPERM])
def test_import_link_impossible_copies_with_attributes(
    pair: Pair, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Dir, name: str, to_dir: Dir, to_name: str) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Dir, "link", refuse)
    name = pair.add(b"content")
    assert pair.importer().import_object(name).is_new
    one, other = pair.path(pair.source, name), pair.path(pair.target, name)
    assert not one.samefile(other)
    assert other.read_bytes() == b"content"
    assert os.getxattr(one, "user.ostreemeta") == os.getxattr(other, "user.ostreemeta")
    assert one.stat().st_mtime_ns == other.stat().st_mtime_ns
    assert pair.target.store.hash_content(name.checksum)[1] == name.checksum


def test_import_other_link_error_is_reported(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Dir, name: str, to_dir: Dir, to_name: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Dir, "link", refuse)
    name = pair.add(b"content")
    with pytest.raises(OSError, match="No space left") as caught:
        pair.importer().import_object(name)
    assert caught.value.__notes__ == ["linkat", f"Importing {name}"]


def test_import_symlink_that_cannot_be_linked_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Dir, name: str, to_dir: Dir, to_name: str) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Dir, "link", refuse)
    with (
        Repo.create(tmp_path / "a", RepoMode.BARE) as source,
        Repo.create(tmp_path / "b", RepoMode.BARE) as target,
    ):
        pair = Pair(source, target)
        name = pair.add(b"", FileHeader(os.geteuid(), os.getegid(), 0o120777, "to"))
        pair.importer().import_object(name)
        assert pair.path(target, name).readlink() == Path("to")


@pytest.mark.parametrize(
    "pair", [(RepoMode.BARE_USER, RepoMode.ARCHIVE)], indirect=True, ids=["to-archive"]
)
def test_import_other_mode_rewrites_and_counts(pair: Pair) -> None:
    name = pair.add(b"content")
    assert pair.importer().import_object(name) == (True, 7)
    assert pair.importer().import_object(name) == (False, 0)
    assert pair.target.store.hash_content(name.checksum)[1] == name.checksum


@pytest.mark.parametrize("target", [RepoMode.BARE_USER, RepoMode.ARCHIVE])
def test_import_corrupt_content_only_believed_when_trusted(
    tmp_path: Path, target: RepoMode
) -> None:
    with (
        Repo.create(tmp_path / "a", RepoMode.BARE_USER) as source,
        Repo.create(tmp_path / "b", target) as target_repo,
    ):
        pair = Pair(source, target_repo)
        name = pair.add(b"content")
        pair.path(source, name).write_bytes(b"CONTENT")
        with pytest.raises(ChecksumMismatchError, match=str(name.checksum)):
            pair.importer(trusted=False).import_object(name)
        assert not target_repo.store.has(name)
        pair.importer().import_object(name)
        assert target_repo.store.has(name)


@pytest.mark.parametrize(
    "pair",
    [
        (RepoMode.BARE_USER, RepoMode.BARE_USER),
        (RepoMode.BARE_USER, RepoMode.BARE_USER_ONLY),
    ],
    indirect=True,
    ids=["option", "target"],
)
def test_import_setuid_refused(pair: Pair) -> None:
    name = pair.add(b"content", SETUID)
    with pytest.raises(FormatError, match="invalid mode 0104755 with bits 04000"):
        pair.importer(only_bare_user=True).import_object(name)
    assert not pair.target.store.has(name)


def test_import_commit_brings_detached_metadata(pair: Pair) -> None:
    zero = Checksum(bytes(32))
    data = encode_commit(Commit((), None, (), "s", "", 0, zero, zero))
    checksum = pair.source.write_metadata(ObjectType.COMMIT, data)
    detached = (("key", Variant("s", "value")),)
    pair.source.write_detached_metadata(checksum, detached)
    pair.importer(trusted=False).import_object(ObjectName(checksum, ObjectType.COMMIT))
    assert pair.target.read_detached_metadata(checksum) == detached
    assert pair.target.store.read_detached(checksum) == encode_metadata(detached)


def test_import_from_the_parent_of_the_source(tmp_path: Path) -> None:
    with Repo.create(tmp_path / "parent", RepoMode.BARE_USER) as parent:
        content = parent.store.write_content(PLAIN, [b"x"], size=1)
    Repo.create(tmp_path / "source", RepoMode.BARE_USER).close()
    with (tmp_path / "source/config").open("a") as config:
        config.write(f"parent={tmp_path}/parent\n")
    with (
        Repo.open(tmp_path / "source") as source,
        Repo.create(tmp_path / "target", RepoMode.BARE_USER) as target,
    ):
        name = ObjectName(content.checksum, ObjectType.FILE)
        assert Importer(source, target, is_trusted=False).import_object(name).is_new
        assert target.store.has_own(name)


@pytest.mark.parametrize("kind", [ObjectType.FILE, ObjectType.COMMIT, ObjectType.DIRTREE])
def test_import_missing_object_named(pair: Pair, kind: ObjectType) -> None:
    name = ObjectName(Checksum(b"\7" * 32), kind)
    with pytest.raises(ObjectNotFoundError, match=str(name.checksum)):
        pair.importer().import_object(name)
