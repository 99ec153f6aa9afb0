"""Codecs of objects: they raise one kind of error, reverse each other, and agree with GVariant."""

from __future__ import annotations

import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyostree.errors import FormatError, InvalidNameError
from pyostree.formats import commit as commit_format
from pyostree.formats.commit import (
    COMMIT_TYPE,
    Commit,
    check_commit,
    decode_commit,
    decode_metadata,
    encode_commit,
    encode_metadata,
)
from pyostree.formats.dirmeta import Dirmeta, check_dirmeta, decode_dirmeta, encode_dirmeta
from pyostree.formats.dirtree import Dirtree, check_dirtree, decode_dirtree, encode_dirtree
from pyostree.formats.file_header import (
    PREFIX_BYTES,
    FileHeader,
    archive_header_length,
    check_header,
    decode_archive_header,
    decode_bare_user_meta,
    decode_header,
    encode_archive_header,
    encode_bare_user_meta,
    encode_header,
)
from pyostree.formats.gvariant import Variant, decode, encode, is_normal
from pyostree.formats.objects import (
    Checksum,
    check_filename,
    is_checksum,
    parse_checksum,
)
from pyostree.formats.xattrs import check_xattrs, decode_xattrs, encode_xattrs

DIRTREE_TYPE = "(a(say)a(sayay))"
DIRMETA_TYPE = "(uuua(ayay))"
HEADER_TYPE = "(uuuusa(ayay))"
ARCHIVE_TYPE = "(tuuuusa(ayay))"
XATTRS_TYPE = "a(ayay)"

U32 = st.integers(0, (1 << 32) - 1)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
CHECKSUMS = st.binary(min_size=32, max_size=32).map(Checksum)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=30
).filter(lambda name: name not in (".", ".."))
XATTR_NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: 0 not in name)
XATTRS = st.dictionaries(XATTR_NAMES, st.binary(max_size=300), max_size=5).map(
    lambda found: tuple(sorted(found.items()))
)
PERMISSIONS = st.integers(0, 0o7777)
REGULAR = st.builds(
    FileHeader, U32, U32, PERMISSIONS.map(lambda bits: bits | stat.S_IFREG), st.just(""), XATTRS
)
SYMLINKS = st.builds(FileHeader, U32, U32, st.just(stat.S_IFLNK | 0o777), TEXT, XATTRS)
HEADERS = REGULAR | SYMLINKS
DIRMETAS = st.builds(
    Dirmeta, U32, U32, PERMISSIONS.map(lambda bits: bits | stat.S_IFDIR), XATTRS
)  # fmt: skip


@st.composite
def dirtrees(draw: st.DrawFn) -> Dirtree:
    names = draw(st.lists(NAMES, max_size=12, unique=True))
    split = draw(st.integers(0, len(names)))
    files = sorted((name.encode(), name, draw(CHECKSUMS)) for name in names[:split])
    dirs = sorted((name.encode(), name, draw(CHECKSUMS), draw(CHECKSUMS)) for name in names[split:])
    return Dirtree(tuple(item[1:] for item in files), tuple(item[1:] for item in dirs))


VALUES = st.one_of(
    TEXT.map(lambda text: Variant("s", text)),
    U32.map(lambda number: Variant("u", number)),
    st.binary(max_size=30).map(lambda raw: Variant("ay", raw)),
    st.lists(TEXT, max_size=3).map(lambda texts: Variant("as", tuple(texts))),
    st.booleans().map(lambda truth: Variant("b", truth)),
)
METADATA = st.lists(st.tuples(TEXT.filter(bool), VALUES), max_size=4).map(tuple)
COMMITS = st.builds(
    Commit,
    metadata=METADATA,
    parent=st.none() | CHECKSUMS,
    related=st.just(()),
    subject=TEXT,
    body=TEXT,
    timestamp=st.integers(-(1 << 63), (1 << 63) - 1),
    root_tree=CHECKSUMS,
    root_meta=CHECKSUMS,
)

# -- any bytes -----------------------------------------------------------------------------------

DECODERS: list[Callable[[bytes], object]] = [
    decode_commit,
    check_commit,
    decode_metadata,
    decode_dirtree,
    check_dirtree,
    decode_dirmeta,
    check_dirmeta,
    decode_header,
    decode_archive_header,
    decode_bare_user_meta,
    decode_xattrs,
]
VALID = st.one_of(
    COMMITS.map(encode_commit),
    dirtrees().map(encode_dirtree),
    DIRMETAS.map(encode_dirmeta),
    HEADERS.map(encode_header).map(lambda data: data[PREFIX_BYTES:]),
    HEADERS.map(lambda header: encode_archive_header(header, 5)[PREFIX_BYTES:]),
    REGULAR.map(encode_bare_user_meta),
    XATTRS.map(encode_xattrs),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Valid bytes of some object, with bits flipped, cut or added."""
    data = bytearray(draw(VALID))
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.sampled_from(["flip", "cut", "add", "byte"])):
            case "flip" if data:
                data[position] ^= 1 << draw(st.integers(0, 7))
            case "byte" if data:
                data[position] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
            case "cut":
                del data[position:]
            case _:
                data[position:position] = draw(st.binary(max_size=5))
    return bytes(data)


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.__name__)
@given(data=st.binary(max_size=400) | damaged())
@example(data=b"")
@example(data=b"\0")
@example(data=b"\xff" * 12)
def test_decode_any_bytes_raises_only_format_errors(
    decoder: Callable[[bytes], object], data: bytes
) -> None:
    with suppress(FormatError, InvalidNameError):
        decoder(data)


@given(prefix=st.binary(max_size=8), available=st.integers(0, 1 << 40))
def test_archive_header_length_never_exceeds_the_file(prefix: bytes, available: int) -> None:
    with suppress(FormatError):
        assert 0 < archive_header_length(prefix, available) <= available


@given(data=damaged())
def test_check_dirtree_accepts_only_what_gvariant_takes_for_normal(data: bytes) -> None:
    with suppress(FormatError, InvalidNameError):
        check_dirtree(data)
        assert is_normal(DIRTREE_TYPE, data)


@given(data=damaged())
def test_check_dirmeta_accepts_only_what_gvariant_takes_for_normal(data: bytes) -> None:
    with suppress(FormatError):
        check_dirmeta(data)
        assert is_normal(DIRMETA_TYPE, data)


@given(data=damaged())
def test_check_commit_accepts_only_what_gvariant_takes_for_normal(data: bytes) -> None:
    with suppress(FormatError):
        check_commit(data)
        assert is_normal(COMMIT_TYPE, data)


# -- round trips, and the general codec ----------------------------------------------------------


@given(COMMITS)
def test_commit_round_trip(commit: Commit) -> None:
    data = encode_commit(commit)
    check_commit(data)
    assert decode_commit(data) == commit


@given(COMMITS)
def test_commit_timestamp_is_big_endian_whatever_the_rest(commit: Commit) -> None:
    value: Any = decode(COMMIT_TYPE, encode_commit(commit), byteorder="big")
    assert value[5] == commit.timestamp & ((1 << 64) - 1)


@given(METADATA)
def test_detached_metadata_round_trip(metadata: commit_format.Metadata) -> None:
    assert decode_metadata(encode_metadata(metadata)) == metadata


@given(dirtrees())
def test_dirtree_agrees_with_the_general_codec(tree: Dirtree) -> None:
    data = encode_dirtree(tree)
    assert data == encode(DIRTREE_TYPE, tree)
    assert decode(DIRTREE_TYPE, data) == tree
    check_dirtree(data)
    assert decode_dirtree(data) == tree


@given(dirtrees(), st.randoms(use_true_random=False))
def test_encode_dirtree_sorts(tree: Dirtree, order: Any) -> None:  # noqa: ANN401
    files, dirs = list(tree.files), list(tree.dirs)
    order.shuffle(files)
    order.shuffle(dirs)
    assert encode_dirtree(Dirtree(tuple(files), tuple(dirs))) == encode_dirtree(tree)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 7, 1423, 1424, 1425, 1426, 1500])
@pytest.mark.parametrize("kind", ["files", "dirs"])
def test_dirtree_around_the_widths_of_offsets(count: int, kind: str) -> None:
    checksum = Checksum(bytes(32))
    names = [f"file-{number:05}" for number in range(count)]
    if kind == "files":
        tree = Dirtree(files=tuple((name, checksum) for name in names))
    else:
        tree = Dirtree(dirs=tuple((name, checksum, checksum) for name in names))
    data = encode_dirtree(tree)
    assert data == encode(DIRTREE_TYPE, tree)
    assert decode_dirtree(data) == tree
    check_dirtree(data)


@pytest.mark.parametrize("length", [200, 218, 219, 220, 221, 222, 223, 255, 65480, 65500, 65535])
def test_dirtree_with_long_names_agrees_with_the_general_codec(length: int) -> None:
    checksum = Checksum(bytes(range(32)))
    tree = Dirtree((("n" * length, checksum),), (("m" * length, checksum, checksum),))
    assert encode_dirtree(tree) == encode(DIRTREE_TYPE, tree)
    assert decode_dirtree(encode_dirtree(tree)) == tree


def nul_names(xattrs: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name + b"\0", value) for name, value in xattrs)


@given(XATTRS)
def test_xattrs_agree_with_the_general_codec(xattrs: tuple[tuple[bytes, bytes], ...]) -> None:
    data = encode_xattrs(xattrs)
    assert data == encode(XATTRS_TYPE, nul_names(xattrs))
    assert decode_xattrs(data) == xattrs
    check_xattrs(xattrs)


@given(DIRMETAS)
def test_dirmeta_agrees_with_the_general_codec(meta: Dirmeta) -> None:
    data = encode_dirmeta(meta)
    general = (meta.uid, meta.gid, meta.mode, nul_names(meta.xattrs))
    assert data == encode(DIRMETA_TYPE, general, byteorder="big")
    assert decode_dirmeta(data) == meta
    check_dirmeta(data)


@given(HEADERS)
def test_hashed_header_agrees_with_the_general_codec(header: FileHeader) -> None:
    data = encode_header(header)
    general = (header.uid, header.gid, header.mode, 0, header.target, nul_names(header.xattrs))
    variant = encode(HEADER_TYPE, general, byteorder="big")
    assert data == len(variant).to_bytes(4, "big") + bytes(4) + variant
    assert decode_header(variant) == header
    check_header(header)


@given(HEADERS, st.integers(0, (1 << 64) - 1))
def test_archive_header_agrees_with_the_general_codec(header: FileHeader, size: int) -> None:
    data = encode_archive_header(header, size)
    uid, gid, mode, target, xattrs = header
    general = (size, uid, gid, mode, 0, target, nul_names(xattrs))
    variant = encode(ARCHIVE_TYPE, general, byteorder="big")
    assert data == len(variant).to_bytes(4, "big") + bytes(4) + variant
    assert archive_header_length(data[:PREFIX_BYTES], len(data)) == len(variant)
    assert decode_archive_header(variant) == (header, size)


@given(REGULAR)
def test_bare_user_metadata_agrees_with_the_general_codec(header: FileHeader) -> None:
    data = encode_bare_user_meta(header)
    general = (header.uid, header.gid, header.mode, nul_names(header.xattrs))
    assert data == encode(DIRMETA_TYPE, general, byteorder="big")
    assert decode_bare_user_meta(data) == header


@pytest.mark.parametrize("length", [*range(225, 260), 65490, 65500, 65510, 65520, 65535, 65536])
def test_headers_around_the_widths_of_offsets(length: int) -> None:
    header = FileHeader(1, 2, 0o100644, "", ((b"user.x", b"v" * length),))
    general = (1, 2, 0o100644, 0, "", nul_names(header.xattrs))
    assert encode_header(header)[8:] == encode(HEADER_TYPE, general, byteorder="big")
    assert decode_header(encode_header(header)[8:]) == header
    link = FileHeader(1, 2, 0o120777, "t" * length)
    general = (1, 2, 0o120777, 0, link.target, ())
    assert encode_header(link)[8:] == encode(HEADER_TYPE, general, byteorder="big")
    assert decode_archive_header(encode_archive_header(link, 0)[8:]) == (link, 0)


# -- names ---------------------------------------------------------------------------------------


@given(st.text(max_size=70))
def test_parse_checksum_any_text_raises_only_invalid_name(text: str) -> None:
    try:
        assert str(parse_checksum(text)) == text
        assert is_checksum(text)
    except InvalidNameError:
        assert not is_checksum(text)


@given(st.text(st.characters(), max_size=10))
def test_check_filename_accepts_only_one_component(name: str) -> None:
    with suppress(InvalidNameError):
        check_filename(name)
        assert name not in ("", ".", "..")
        assert not set(name) & {"/", "\0"}
        assert name.encode("utf-8")
