"""Archives: arbitrary bytes raise one kind of error; trees survive the way there and back."""

from __future__ import annotations

import io
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pyostree import Repo
from pyostree.errors import FormatError, OstreeError
from pyostree.formats.archive_format import open_archive
from pyostree.formats.archive_paths import parse_pathname_filter, relative_path
from pyostree.formats.byte_stream import ByteStream
from pyostree.formats.tar_pax import decode_pax, pax_xattrs
from pyostree.formats.tar_writer import TarEntry, encode_tar_entry, padding
from pyostree.repo.commit import commit
from pyostree.repo.commit_request import CommitRequest, TreeSource
from pyostree.repo.modifier import CommitModifier
from pyostree.repo.tar_export import export_to_file
from repo_lab import make_repo
from tar_lab import DIR, END, SYMLINK, Item, chunks_of, header, make_tar, padded, pax

# -- arbitrary bytes ---------------------------------------------------------------------------


def drain(data: bytes) -> None:
    reader = open_archive(ByteStream(chunks_of(data, 777)))
    while (member := reader.next_member()) is not None:
        with suppress(OstreeError):
            relative_path(member.path)
        if member.size <= 1 << 20:
            reader.read_content()


SEEDS = (
    make_tar(Item("a", b"x" * 700), Item("n" * 150, b"y", xattrs={"user.a": b"1"})),
    make_tar(Item("a", b"x" * 700), Item("n" * 150, b"y"), format="gnu"),
    pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"99"))
    + header(b"s", 516)
    + padded(b"1\n5\n4\n")
    + padded(b"data")
    + END,
    b"070701" + b"00000001" * 11 + b"00000002" + b"0" * 8 + b"a\0" + bytes(600),
    b"070707"
    + b"000001" * 8
    + b"00000000000"
    + b"000002"
    + b"00000000003"
    + b"a\0xyz"
    + bytes(600),
)


@given(st.binary(max_size=1200))
@example(b"\x1f\x8b\x08" + bytes(600))
def test_any_bytes_as_an_archive_raise_only_errors_of_ours(data: bytes) -> None:
    with suppress(OstreeError):
        drain(data)


@settings(max_examples=200)
@given(st.data())
def test_any_change_of_an_archive_raises_only_errors_of_ours(data: st.DataObject) -> None:
    archive = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, min(len(archive), 2600) - 1))
        archive[position] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):  # so that the change is not noticed at once
        for start in range(0, len(archive) - 511, 512):
            block = archive[start : start + 512]
            if block[257:262] == b"ustar":
                total = sum(block) - sum(block[148:156]) + 8 * 32
                archive[start + 148 : start + 156] = b"%06o\0 " % total
    with suppress(OstreeError):
        drain(bytes(archive))


@given(st.binary(max_size=300))
def test_any_bytes_as_pax_records_raise_only_format_errors(data: bytes) -> None:
    with suppress(FormatError):
        pax_xattrs(decode_pax(data))


@settings(max_examples=50)  # compiling is slow
@given(st.text(max_size=30), st.binary(max_size=40))
def test_any_filter_raises_only_format_errors(spec: str, path: bytes) -> None:
    with suppress(FormatError):
        relative_path(path, parse_pathname_filter(spec))


@given(st.binary(max_size=60).filter(lambda path: b"\0" not in path))
def test_any_path_is_refused_or_stays_inside(path: bytes) -> None:
    with suppress(FormatError):
        parts = relative_path(path).split("/")
        assert parts == [""] or not {"", ".", ".."} & set(parts)


# -- what we write, others read ------------------------------------------------------------------

NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=120
).filter(lambda name: name not in {".", ".."})


@given(
    path=NAMES,
    target=NAMES,
    numbers=st.tuples(*[st.integers(0, 2**32 - 1)] * 2, st.integers(0, 2**40)),
    mode=st.integers(0, 0o7777),
)
def test_entries_are_read_by_tarfile_as_they_were_written(
    path: str, target: str, numbers: tuple[int, int, int], mode: int
) -> None:
    uid, gid, mtime = numbers
    raw = encode_tar_entry(TarEntry(path.encode(), b"2", mode, uid, gid, 0, mtime, target.encode()))
    assert len(raw) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(raw + END), encoding="utf-8") as archive:
        (found,) = archive
    assert (found.name, found.linkname) == (path.rstrip("/"), target)
    assert (found.mode, found.uid, found.gid) == (mode, uid, gid)
    assert found.mtime == min(mtime, 8**11 - 1)


@given(st.integers(0, 5000))
def test_padding_fills_the_block(size: int) -> None:
    assert (size + len(padding(size))) % 512 == 0


# -- there and back ------------------------------------------------------------------------------

SHORT = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8
).filter(lambda name: name not in {".", ".."})
IDS = st.integers(0, 2**32 - 1)
MODES = st.integers(0, 0o7777)


@st.composite
def trees(draw: st.DrawFn) -> list[Item]:
    """Members of an archive with directories before what they hold, and no name twice."""
    items = [Item("./", type=DIR, mode=draw(MODES), uid=draw(IDS), gid=draw(IDS))]
    dirs = [""]
    taken = set[str]()
    for name in draw(st.lists(SHORT, max_size=8)):
        path = draw(st.sampled_from(dirs)) + name
        if path in taken:
            continue
        taken.add(path)
        kind = draw(st.sampled_from((DIR, SYMLINK, tarfile.REGTYPE, tarfile.REGTYPE)))
        data = draw(st.binary(max_size=600)) if kind == tarfile.REGTYPE else b""
        target = draw(SHORT) if kind == SYMLINK else ""
        items.append(Item(path, data, kind, draw(MODES), draw(IDS), draw(IDS), target))
        if kind == DIR:
            dirs.append(f"{path}/")
    return items


@pytest.fixture(scope="module")
def repo_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repo(tmp_path_factory.mktemp("tar") / "repo")


def commit_tar(repo: Repo, path: Path) -> tuple[bytes, bytes]:
    request = CommitRequest(
        branch=None,
        orphan=True,
        trees=(TreeSource("tar", str(path)),),
        modifier=CommitModifier(),
        timestamp=0,
    )
    made = repo.load_commit(commit(repo, request).checksum)
    return made.root_tree, made.root_meta


@settings(max_examples=30)
@given(items=trees(), form=st.sampled_from(("pax", "gnu")))
def test_tree_to_commit_to_archive_to_commit_is_the_same_tree(
    items: list[Item], form: str, repo_path: Path
) -> None:
    archive = repo_path.parent / "archive"
    archive.write_bytes(make_tar(*items, format=form))
    with Repo.open(repo_path) as repo:
        tree = commit_tar(repo, archive)
        request = CommitRequest(
            branch="main", trees=(TreeSource("tar", str(archive)),), modifier=CommitModifier()
        )
        commit(repo, request)
        export_to_file(repo, "main", str(archive))
        assert commit_tar(repo, archive) == tree
