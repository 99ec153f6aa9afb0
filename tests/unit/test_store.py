"""What every object store must do, and what each repository mode does in its own way."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import (
    ChecksumMismatchError,
    CorruptObjectError,
    FormatError,
    FreeSpaceError,
    ObjectNotFoundError,
    OstreeError,
    describe,
)
from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.file_header import FileHeader, encode_header
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.fs.dir import Dir
from pyostree.repo.modes import RepoMode, parse_mode
from pyostree.repo.store import open_store
from pyostree.repo.store.base import ObjectStore
from pyostree.repo.store.records import StoreSettings
from pyostree.repo.store.structure import check_structure

WRITABLE = [RepoMode.ARCHIVE, RepoMode.BARE, RepoMode.BARE_USER, RepoMode.BARE_USER_ONLY]
OWNER = (os.geteuid(), os.getegid())
DIRMETA = encode_dirmeta(Dirmeta(0, 0, 0o40755))
UNKNOWN = Checksum(bytes(32))


def header_for(mode: RepoMode, bits: int = 0o100644, target: str = "") -> FileHeader:
    """Return a header that a repository of the mode can hold as it is."""
    owner = (0, 0) if mode is RepoMode.BARE_USER_ONLY else OWNER
    xattrs = () if mode is RepoMode.BARE_USER_ONLY or target else ((b"user.a", b"1"),)
    return FileHeader(*owner, bits, target, xattrs)


def checksum_of(header: FileHeader, content: bytes = b"") -> Checksum:
    return Checksum(hashlib.sha256(encode_header(header) + content).digest())


@pytest.fixture(params=WRITABLE, ids=lambda mode: mode.value)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    (tmp_path / "objects").mkdir()
    (tmp_path / "tmp").mkdir()
    with Dir.at(tmp_path / "objects") as objects, Dir.at(tmp_path / "tmp") as temp:
        made = open_store(objects, StoreSettings(request.param), None)
        made.temp = temp
        yield made


@pytest.mark.parametrize("size", [0, 1, 100, 70_000, 3_000_000])
def test_content_round_trip(store: ObjectStore, size: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    header = header_for(store.settings.mode)
    checksum = checksum_of(header, content)
    assert store.put_content(checksum, header, content)
    assert not store.put_content(checksum, header, content)
    with store.open_content(checksum) as opened:
        assert (opened.header, opened.size) == (header, size)
        assert b"".join(opened.chunks()) == content
    assert store.read_header(checksum) == (header, size)
    assert store.hash_content(checksum) == (header, checksum)
    facts = store.stat_content(checksum)
    assert (facts.mode, facts.size) == (0o100644, size)
    assert store.has_own_content(checksum)
    assert store.has(ObjectName(checksum, ObjectType.FILE))
    assert list(store.iter_objects()) == [ObjectName(checksum, ObjectType.FILE)]


@pytest.mark.parametrize("target", ["target", "/abs/olute", "é/日本", "x" * 4000])
def test_symlink_round_trip(store: ObjectStore, target: str) -> None:
    header = header_for(store.settings.mode, 0o120777, target)
    checksum = checksum_of(header)
    assert store.put_content(checksum, header, b"")
    assert not store.put_content(checksum, header, b"")
    assert store.read_header(checksum) == (header, 0)
    assert store.hash_content(checksum) == (header, checksum)
    with store.open_content(checksum) as opened:
        assert list(opened.chunks()) == []
    assert stat.S_ISLNK(store.stat_content(checksum).mode)


@pytest.mark.parametrize("size", [0, 100, 200_000, 9_000_000])
def test_content_under_another_header(store: ObjectStore, size: int) -> None:
    content = os.urandom(size) if size < 1_000_000 else b"x" * size
    header = header_for(store.settings.mode)
    changed = header._replace(mode=0o100755)
    written = store.write_content(header, [content] if content else [], size=size)
    assert store.write_changed(written.checksum, changed) == (checksum_of(changed, content), True)
    assert store.write_changed(written.checksum, changed) == (checksum_of(changed, content), False)
    with store.open_content(checksum_of(changed, content)) as opened:
        assert (opened.header, opened.size) == (changed, size)
        assert b"".join(opened.chunks()) == content


def test_symlink_under_another_header(store: ObjectStore) -> None:
    header = header_for(store.settings.mode, 0o120777, "target")
    changed = header._replace(target="other")
    written = store.write_content(header, [], size=0)
    assert store.write_changed(written.checksum, changed).checksum == checksum_of(changed)
    assert store.read_header(checksum_of(changed)) == (changed, 0)


@pytest.mark.parametrize("size", [300, 200_000])
def test_archived_content_that_is_damaged_gets_no_other_header(tmp_path: Path, size: int) -> None:
    with Dir.at(tmp_path) as objects:
        store = open_store(objects, StoreSettings(RepoMode.ARCHIVE), None)
        store.temp = objects
        header = FileHeader(0, 0, 0o100644)
        written = store.write_content(header, [os.urandom(size)], size=size)
        (path,) = tmp_path.glob("??/*.filez")
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(FormatError) as caught:
            store.write_changed(written.checksum, header._replace(uid=1))
        assert str(written.checksum) in describe(caught.value)
        assert list(tmp_path.glob("??/*")) == [path]


def test_content_stream_is_verified_before_it_gets_its_name(store: ObjectStore) -> None:
    header = header_for(store.settings.mode)
    checksum = checksum_of(header, b"content")
    with pytest.raises(ChecksumMismatchError) as caught:
        store.write_content(header, [b"con", b"tEnt"], size=7, expected=checksum)
    assert describe(caught.value).startswith("Writing content object: Corrupted file object;")
    assert list(store.iter_objects()) == []
    written = store.write_content(header, [b"con", b"tent"], size=7, expected=checksum)
    assert (written.checksum, written.is_new) == (checksum, True)
    again = store.write_content(header, iter(()), size=7, expected=checksum)
    assert (again.checksum, again.is_new) == (checksum, False)  # and nothing was read
    same = store.write_content(header, [b"content"], size=7)
    assert (same.checksum, same.is_new) == (checksum, False)
    assert os.listdir(Path(store.temp.label)) == []


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (9, "Unexpected EOF with 2/9 bytes remaining"),
        (3, "Content is longer than the 3 bytes its header says"),
    ],
)
def test_content_stream_of_another_size_is_refused(
    store: ObjectStore, size: int, message: str
) -> None:
    with pytest.raises(FormatError) as caught:
        store.write_content(header_for(store.settings.mode), [b"con", b"tent"], size=size)
    assert describe(caught.value) == f"Writing content object: {message}"
    assert list(store.iter_objects()) == []
    assert os.listdir(Path(store.temp.label)) == []


def test_symlink_stream_is_verified(store: ObjectStore) -> None:
    header = header_for(store.settings.mode, 0o120777, "target")
    with pytest.raises(ChecksumMismatchError):
        store.write_content(header, (), size=0, expected=UNKNOWN)
    assert store.write_content(header, (), size=0).checksum == checksum_of(header)


def test_trusted_content_is_stored_under_the_given_name(store: ObjectStore) -> None:
    header = header_for(store.settings.mode)
    assert store.write_trusted_content(UNKNOWN, header, [b"content"], size=7)
    assert not store.write_trusted_content(UNKNOWN, header, [b"content"], size=7)
    found, actual = store.hash_content(UNKNOWN)
    assert (found, actual) == (header, checksum_of(header, b"content"))


def test_missing_objects_are_named(store: ObjectStore) -> None:
    prefix = f"Opening content object {UNKNOWN}: " if store.settings.mode.is_bare else ""
    for read in (store.open_content, store.read_header, store.hash_content, store.stat_content):
        with pytest.raises(ObjectNotFoundError) as caught:
            read(UNKNOWN)
        assert describe(caught.value) == f"{prefix}Couldn't find file object '{UNKNOWN}'"
    name = ObjectName(UNKNOWN, ObjectType.DIRTREE)
    with pytest.raises(ObjectNotFoundError) as caught:
        store.read_metadata(name)
    assert describe(caught.value) == f"No such metadata object {UNKNOWN}.dirtree"
    with pytest.raises(FileNotFoundError) as missing:
        store.object_size(name)
    assert describe(missing.value) == (
        f"Querying object {UNKNOWN}.dirtree: No such file or directory"
    )
    with pytest.raises(FileNotFoundError) as missing:
        store.delete(name)
    assert describe(missing.value).startswith(f"Deleting object {UNKNOWN}.dirtree: unlinkat(00/")


def test_metadata_round_trip(store: ObjectStore) -> None:
    written = store.write_metadata(ObjectType.DIRMETA, DIRMETA)
    assert written.is_new
    assert not store.write_metadata(ObjectType.DIRMETA, DIRMETA).is_new
    name = ObjectName(written.checksum, ObjectType.DIRMETA)
    assert store.read_metadata(name) == DIRMETA
    assert store.object_size(name) == len(DIRMETA)
    path = Path(store.objects.label, store.path_of(name))
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    store.delete(name)
    assert not store.has(name)


@pytest.mark.parametrize(
    ("data", "expected", "message"),
    [
        (DIRMETA, UNKNOWN, "Corrupted dirmeta object; checksum expected='000"),
        (b"short", None, "Invalid directory metadata mode 0; not a directory"),
    ],
)
def test_bad_metadata_is_not_stored(
    store: ObjectStore, data: bytes, expected: Checksum | None, message: str
) -> None:
    with pytest.raises(OstreeError) as caught:
        store.write_metadata(ObjectType.DIRMETA, data, expected=expected)
    assert describe(caught.value).startswith(f"Writing metadata object: {message}")
    assert list(store.iter_objects()) == []


def test_detached_metadata_is_replaced(store: ObjectStore) -> None:
    assert store.read_detached(UNKNOWN) is None
    for data in (b"first", b"", b"third"):
        store.write_detached(UNKNOWN, data)
        assert store.read_detached(UNKNOWN) == data
    assert list(store.iter_objects()) == []


def test_writing_a_commit_removes_its_tombstone(store: ObjectStore) -> None:
    data = b"any bytes"
    checksum = Checksum(hashlib.sha256(data).digest())
    store.write_tombstone(checksum, b"tombstone")
    (tombstone,) = Path(store.objects.label).glob("??/*.tombstone-commit")
    store.put_metadata(ObjectType.COMMIT, data)
    assert not tombstone.exists()


def test_staged_objects_are_found_first_and_published_ones_too(
    store: ObjectStore, tmp_path: Path
) -> None:
    header = header_for(store.settings.mode)
    published = checksum_of(header, b"published")
    store.put_content(published, header, b"published")
    (tmp_path / "staging").mkdir()
    with Dir.at(tmp_path / "staging") as staging:
        store.staging = store.temp = staging
        staged = checksum_of(header, b"staged")
        assert store.put_content(staged, header, b"staged")
        assert not store.put_content(published, header, b"published")
        written = store.write_metadata(ObjectType.DIRMETA, DIRMETA)
        store.write_detached(staged, b"detached")
        assert {path.name for path in (tmp_path / "objects").glob("??/*")} == {
            Path(store.path_of(ObjectName(published, ObjectType.FILE))).name
        }
        for checksum in (staged, published):
            assert store.hash_content(checksum)[1] == checksum
        assert store.read_metadata(ObjectName(written.checksum, ObjectType.DIRMETA)) == DIRMETA
        assert store.read_detached(staged) == b"detached"
        assert [name.checksum for name in store.iter_objects()] == [published]
        store.staging = None


def test_parent_is_read_but_never_written(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "child").mkdir()
    header = header_for(store.settings.mode)
    checksum = checksum_of(header, b"content")
    store.put_content(checksum, header, b"content")
    written = store.write_metadata(ObjectType.DIRMETA, DIRMETA)
    name = ObjectName(written.checksum, ObjectType.DIRMETA)
    with Dir.at(tmp_path / "child") as objects:
        child = open_store(objects, store.settings, store)
        child.temp = objects
        assert child.read_header(checksum) == (header, 7)
        assert child.stat_content(checksum).size == 7
        assert child.hash_content(checksum)[1] == checksum
        assert child.read_metadata(name) == DIRMETA
        assert child.object_size(name) == len(DIRMETA)
        assert child.has(name)
        assert not child.has_own(name)
        assert list(child.iter_objects()) == []
        with pytest.raises(FileNotFoundError):
            child.link_content(checksum, objects, "link")
        assert child.put_content(checksum, header, b"content")  # an object of its own
        child.link_content(checksum, objects, "link")


def test_budget_is_asked_before_and_refunded_for_known_content(store: ObjectStore) -> None:
    class Budget:
        left = 10

        def take(self, size_bytes: int) -> None:
            if size_bytes > self.left:
                raise FreeSpaceError("too much")
            self.left -= size_bytes

        def give_back(self, size_bytes: int) -> None:
            self.left += size_bytes

    budget = store.budget = Budget()
    header = header_for(store.settings.mode)
    store.write_content(header, [b"12345"], size=5)
    assert budget.left == 5
    store.write_content(header, [b"12345"], size=5)
    assert budget.left == 5
    with pytest.raises(FreeSpaceError) as caught:
        store.write_content(header, [b"123456"], size=6)
    assert describe(caught.value) == "Writing content object: too much"
    content = b"1234567"
    with pytest.raises(FreeSpaceError):
        store.put_content(checksum_of(header, content), header, content)


@pytest.mark.parametrize(
    "name",
    [
        "stray",
        "x" * 62,
        "x" * 62 + ".file",
        "a" * 61 + ".commit",
        "a" * 62 + ".commitmeta",
        "a" * 62 + ".tombstone-commit",
        "A" * 62 + ".commit",
        "a" * 62 + ".file-xattrs",
    ],
)
def test_enumeration_ignores_what_is_no_object(store: ObjectStore, name: str) -> None:
    place = Path(store.objects.label)
    (place / "aa").mkdir()
    (place / "aa" / name).touch()
    (place / "zz").mkdir()
    (place / "zz" / ("a" * 62 + ".commit")).touch()
    (place / "bb").touch()
    (place / "tmp.x").touch()
    assert list(store.iter_objects()) == []


@pytest.mark.parametrize("prefix", ["", "a", "aa", "aaa", "b", "f" * 64])
def test_commits_by_the_start_of_their_checksum(store: ObjectStore, prefix: str) -> None:
    checksums = ["aa" + "0" * 62, "aaa" + "0" * 61, "ab" + "0" * 62, "ff" + "1" * 62]
    for text in checksums:
        path = Path(store.objects.label, text[:2])
        path.mkdir(exist_ok=True)
        (path / f"{text[2:]}.commit").touch()
    found = sorted(str(checksum) for checksum in store.iter_commits(prefix))
    assert found == [text for text in checksums if text.startswith(prefix)]


# -- what a mode decides -------------------------------------------------------------------------


def one_file(store: ObjectStore, bits: int) -> os.stat_result:
    header = header_for(store.settings.mode, bits)
    checksum = checksum_of(header, b"x")
    store.put_content(checksum, header, b"x")
    name = store.path_of(ObjectName(checksum, ObjectType.FILE))
    return Path(store.objects.label, name).stat()


@pytest.mark.parametrize("bits", [0o100644, 0o100000, 0o104755, 0o106755, 0o101666, 0o100444])
def test_physical_mode_of_each_repository_mode(store: ObjectStore, bits: int) -> None:
    match store.settings.mode:
        case RepoMode.ARCHIVE:
            expected = 0o644
        case RepoMode.BARE:
            expected = bits & 0o7777
        case RepoMode.BARE_USER:
            expected = (bits & 0o775) | 0o400
        case _:
            if bits & 0o7777 & ~0o775:
                with pytest.raises(FormatError, match="invalid mode 0") as caught:
                    one_file(store, bits)
                assert f"with bits 0{bits & 0o7777 & ~0o775:04o}" in str(caught.value)
                return
            expected = bits & 0o7777
    status = one_file(store, bits)
    assert stat.S_IMODE(status.st_mode) == expected
    assert (status.st_mtime_ns == 0) == store.settings.mode.is_bare


def test_bare_user_object_without_its_metadata_is_an_error(tmp_path: Path) -> None:
    with Dir.at(tmp_path) as objects:
        store = open_store(objects, StoreSettings(RepoMode.BARE_USER), None)
        (tmp_path / "00").mkdir()
        (tmp_path / store.path_of(ObjectName(UNKNOWN, ObjectType.FILE))).write_text("x")
        with pytest.raises(OSError, match="No data") as caught:
            store.open_content(UNKNOWN)
    assert describe(caught.value) == (
        f"Opening content object {UNKNOWN}: fgetxattr(user.ostreemeta): No data available"
    )


def test_bare_without_xattrs_neither_writes_nor_reads_them(tmp_path: Path) -> None:
    settings = StoreSettings(RepoMode.BARE, disable_xattrs=True)
    header = FileHeader(*OWNER, 0o100644, "", ((b"user.a", b"1"),))
    with Dir.at(tmp_path) as objects:
        store = open_store(objects, settings, None)
        store.put_content(checksum_of(header), header, b"")
        assert store.read_header(checksum_of(header))[0].xattrs == ()


@pytest.mark.parametrize("level", range(1, 10))
@pytest.mark.parametrize("size", [10, 100_000])
def test_archive_levels_all_inflate_to_the_same(tmp_path: Path, level: int, size: int) -> None:
    content = os.urandom(size // 2) + bytes(size // 2)
    header = header_for(RepoMode.ARCHIVE)
    with Dir.at(tmp_path) as objects:
        store = open_store(objects, StoreSettings(RepoMode.ARCHIVE, zlib_level=level), None)
        store.temp = objects
        checksum = checksum_of(header, content)
        store.put_content(checksum, header, content)
        assert store.hash_content(checksum)[1] == checksum


def test_split_xattrs_are_read_and_nothing_is_written(tmp_path: Path) -> None:
    raw = bytes.fromhex("757365722e6d796b6579006d7976616c75650b13")
    header = FileHeader(*OWNER, 0o100644, "", ((b"user.mykey", b"myvalue"),))
    text = str(checksum_of(header, b"x"))
    place = tmp_path / text[:2]
    place.mkdir()
    (place / f"{text[2:]}.file").write_text("x")
    (place / f"{text[2:]}.file").chmod(0o644)
    (place / f"{text[2:]}.file-xattrs-link").write_bytes(raw)
    with Dir.at(tmp_path) as objects:
        store = open_store(objects, StoreSettings(RepoMode.BARE_SPLIT_XATTRS), None)
        store.temp = objects
        assert store.hash_content(checksum_of(header, b"x")) == (header, checksum_of(header, b"x"))
        other = header._replace(gid=12345)
        with pytest.raises(OstreeError) as caught:
            store.put_content(checksum_of(other), other, b"")
    assert describe(caught.value) == "Writing content object: Not allowed due to repo mode"


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("bare", RepoMode.BARE),
        ("archive", RepoMode.ARCHIVE),
        ("archive-z2", RepoMode.ARCHIVE),
        ("bare-user", RepoMode.BARE_USER),
        ("bare-user-only", RepoMode.BARE_USER_ONLY),
        ("bare-split-xattrs", RepoMode.BARE_SPLIT_XATTRS),
    ],
)
def test_parse_mode(text: str, mode: RepoMode) -> None:
    assert parse_mode(text) is mode


@pytest.mark.parametrize("text", ["", "BARE", "bare ", "archive-z1"])
def test_parse_mode_unknown_is_refused(text: str) -> None:
    with pytest.raises(OstreeError) as caught:
        parse_mode(text)
    assert str(caught.value) == f"Invalid mode '{text}' in repository configuration"


@pytest.mark.parametrize("kind", [ObjectType.FILE, ObjectType.FILE_XATTRS])
def test_check_structure_knows_metadata_only(kind: ObjectType) -> None:
    with pytest.raises(CorruptObjectError, match="is not a metadata object"):
        check_structure(kind, b"")
