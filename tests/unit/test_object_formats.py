"""Bytes of commits, trees, directories and headers: the format's own examples and its refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from pyostree.errors import FormatError, InvalidNameError
from pyostree.formats.commit import (
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
    FileHeader,
    archive_header_length,
    check_file_mode,
    check_header,
    decode_archive_header,
    decode_bare_user_meta,
    decode_header,
    encode_archive_header,
    encode_bare_user_meta,
    encode_header,
)
from pyostree.formats.framing import decode_text, join_array, offset_width, split_array
from pyostree.formats.gvariant import Variant, encode
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.formats.xattrs import check_xattrs, decode_xattrs, encode_xattrs

HELLO = parse_checksum("81381808c56d4f3d643ec12f6a18fcf2993af8daba7c2a1b2cbfc315b39424c6")
RUN = parse_checksum("60599fdf7cf9cb8925354cd74476b5ded7850eca9b6a120998125a578b6a4d4c")
EMPTY = parse_checksum("cc700d46f407c6c5ab2d5dde474366a928b7398277e61162e7f8ec06f469f07e")
LINK = parse_checksum("f9c591ce925236d8984604bd63e824d6ac349084606731e6a38ac7829c0de9c5")
META = parse_checksum("446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488")
SUB = parse_checksum("f61b676fb4847dc5abc0e317f366a60fa1dbab599d1c8f623df9600fcbfb098f")
ROOT = parse_checksum("f84ac5839bc1720deeab9e040ce6da4d73845b1eb331715a959d9f43f3c3e5e3")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- the worked examples of the format -----------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "content", "checksum"),
    [
        (FileHeader(0, 0, 0o100644), b"hello world\n", HELLO),
        (FileHeader(0, 0, 0o100755), b"#!/bin/sh\n", RUN),
        (FileHeader(0, 0, 0o100644), b"", EMPTY),
        (FileHeader(0, 0, 0o120777, "../hello.txt"), b"", LINK),
    ],
    ids=["regular", "executable", "empty", "symlink"],
)
def test_file_example_checksum(header: FileHeader, content: bytes, checksum: Checksum) -> None:
    assert sha256(encode_header(header) + content) == str(checksum)


def test_header_with_xattrs_example_bytes() -> None:
    xattrs = ((b"user.alpha", b"first"), (b"user.zeta", b"last"))
    header = FileHeader(1000, 1001, 0o104755, "", xattrs)
    pairs = "757365722e616c7068610066697273740b757365722e7a657461006c6173740a1120"
    assert encode_header(header).hex() == (
        "0000003400000000000003e8000003e9000089ed0000000000" + pairs + "11"
    )
    assert encode_archive_header(header, 4).hex() == (
        "0000003c000000000000000000000004000003e8000003e9000089ed0000000000" + pairs + "19"
    )
    assert sha256(encode_header(header) + b"data") == (
        "43c077ef39bbe790dfba352d33c3aa4ea81a6188e5be32fe76763351d5e74f68"
    )
    plain = header._replace(mode=0o100755)
    assert encode_bare_user_meta(plain).hex() == "000003e8000003e9000081ed" + pairs


def test_archive_headers_example_bytes() -> None:
    assert encode_archive_header(FileHeader(0, 0, 0o100644), 12).hex() == (
        "0000001a00000000000000000000000c0000000000000000000081a4000000000019"
    )
    assert encode_archive_header(FileHeader(0, 0, 0o120777, "../hello.txt"), 0).hex() == (
        "000000260000000000000000000000000000000000000000"
        "0000a1ff00000000"
        "2e2e2f68656c6c6f2e74787400"
        "25"
    )


def test_dirtree_examples_checksums() -> None:
    sub = encode_dirtree(Dirtree((("empty", EMPTY), ("link", LINK))))
    assert (len(sub), sha256(sub)) == (80, str(SUB))
    root = encode_dirtree(Dirtree((("hello.txt", HELLO), ("run.sh", RUN)), (("sub", SUB, META),)))
    assert (len(root), sha256(root)) == (157, str(ROOT))
    assert encode_dirtree(Dirtree()) == b"\0"
    assert decode_dirtree(b"\0") == Dirtree()


def test_dirtree_of_1500_names_example_checksum() -> None:
    tree = Dirtree(tuple((f"file-{number:05}", EMPTY) for number in range(1500)))
    data = encode_dirtree(tree)
    assert len(data) == 72004
    assert sha256(data) == "9aa4092ba6927d1d2ece26e6dbce3ad552e92578300709c7ee064bf26a067c66"
    assert decode_dirtree(data) == tree


def test_dirmeta_examples() -> None:
    assert sha256(encode_dirmeta(Dirmeta(0, 0, 0o40755))) == str(META)
    sticky = encode_dirmeta(Dirmeta(0, 0, 0o41777, ((b"user.dir", b"1"),)))
    assert sha256(sticky) == "63522cfba6a19f29ac12c01c56ecb724c2866e701965200cef58010ab8367b4c"


def example_commit() -> Commit:
    return Commit(
        metadata=(("ostree.ref-binding", Variant("as", ("ex/main",))),),
        parent=None,
        related=(),
        subject="Subject line",
        body="Body text",
        timestamp=1700000000,
        root_tree=ROOT,
        root_meta=META,
    )


def test_commit_example() -> None:
    data = encode_commit(example_commit())
    assert len(data) == 142
    assert sha256(data) == "fd4c802156edc3259bbaba660e7760003adbc68bbf29dbeacdb19f2dcf105446"
    assert decode_commit(data) == example_commit()
    assert str(decode_commit(data).content_checksum()) == (
        "5104ec40ec067d0a6f5438a858767d57d89dad99a1c8b2ed419403e8c294d23d"
    )


@pytest.mark.parametrize(
    ("metadata", "checksum"),
    [
        ((), "6109d33e99f48e9b90cdf8ad037b8e5d20ef899697cfd3eb492cf78800aed498"),
        (
            (("ostree.ref-binding", Variant("as", ())),),
            "89b1cd37b4b867c961b05085ecc476b074ac54ca341e69f4a2c1385b412de5fe",
        ),
        (
            (
                ("version", Variant("s", "1.0")),
                ("n", Variant("u", 5)),
                ("ostree.ref-binding", Variant("as", ("x",))),
            ),
            "1fa58076eb87c0a1755fe5b1a50581621748ad23733071cf41d8fd52fd3742f8",
        ),
    ],
    ids=["no bindings", "empty binding", "metadata"],
)
def test_minimal_commits_examples(metadata: tuple[tuple[str, Variant], ...], checksum: str) -> None:
    empty = Checksum(hashlib.sha256(b"\0").digest())
    commit = Commit(metadata, None, (), "", "", 0, empty, META)
    assert sha256(encode_commit(commit)) == checksum


def test_detached_metadata_example() -> None:
    data = bytes.fromhex("6b0000000000000076000073020d")
    assert encode_metadata((("k", Variant("s", "v")),)) == data
    assert decode_metadata(data) == (("k", Variant("s", "v")),)
    assert decode_metadata(b"") == ()


def test_commit_lookup_takes_the_first_of_equal_keys() -> None:
    pairs = (("k", Variant("s", "first")), ("k", Variant("s", "second")), ("n", Variant("u", 1)))
    commit = example_commit()._replace(metadata=pairs)
    assert commit.lookup("k") == Variant("s", "first")
    assert commit.lookup_str("k") == "first"
    assert commit.lookup_str("n") is None
    assert commit.lookup("missing") is None
    assert decode_commit(encode_commit(commit)) == commit


@pytest.mark.parametrize("timestamp", [-1, -(1 << 63), 0, (1 << 63) - 1])
def test_commit_timestamp_is_signed(timestamp: int) -> None:
    commit = example_commit()._replace(timestamp=timestamp)
    assert decode_commit(encode_commit(commit)).timestamp == timestamp


# -- refusals ------------------------------------------------------------------------------------


def commit_bytes(parent: bytes = b"", tree: bytes = bytes(32), meta: bytes = bytes(32)) -> bytes:
    return encode("(a{sv}aya(say)sstayay)", ((), parent, (), "", "", 0, tree, meta))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (commit_bytes(parent=b"abc"),
         "Invalid commit parent: Invalid checksum of length 3 expected 32"),
        (commit_bytes(tree=b""),
         "Invalid commit tree content checksum: Invalid checksum of length 0 expected 32"),
        (commit_bytes(meta=b"x" * 33),
         "Invalid commit tree metadata checksum: Invalid checksum of length 33 expected 32"),
        (encode("(a{sv}aya(say)sstayay)",
                ((("", Variant("s", "")),), b"", (), "", "", 0, bytes(32), bytes(32))),
         "Empty metadata key"),
    ],
)  # fmt: skip
def test_check_commit_bad_field_message(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        check_commit(data)
    assert str(caught.value) == message


def test_encode_commit_empty_metadata_key_is_refused() -> None:
    commit = example_commit()._replace(metadata=(("", Variant("s", "x")),))
    with pytest.raises(FormatError, match="Empty metadata key"):
        encode_commit(commit)


def test_check_commit_not_normal_is_refused() -> None:
    data = bytearray(encode_commit(example_commit()))
    data[20] = 1  # padding
    decode_commit(bytes(data))
    with pytest.raises(FormatError, match="Not normal form"):
        check_commit(bytes(data))


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (0, "Invalid directory metadata mode 0; not a directory"),
        (0o100755, "Invalid directory metadata mode 33261; not a directory"),
        (0o240755, "Invalid mode 82413; invalid bits in mode"),
        (0o1040755, "Invalid mode 279021; invalid bits in mode"),
    ],
)
def test_dirmeta_bad_mode_message(mode: int, message: str) -> None:
    data = encode_dirmeta(Dirmeta(0, 0, mode))
    with pytest.raises(FormatError) as caught:
        decode_dirmeta(data)
    assert str(caught.value) == message


def test_dirmeta_truncated_reads_as_mode_0() -> None:
    with pytest.raises(FormatError, match="Invalid directory metadata mode 0; not a directory"):
        decode_dirmeta(b"\0" * 11)


XATTR_CASES = {
    "Duplicate xattr name, index=1": ((b"user.a", b"1"), (b"user.a", b"2")),
    "Incorrectly sorted xattr name (prev=user.b, cur=user.a), index=1":
        ((b"user.b", b"1"), (b"user.a", b"2")),
}  # fmt: skip


@pytest.mark.parametrize("message", XATTR_CASES)
def test_xattrs_in_bad_order_message(message: str) -> None:
    xattrs = XATTR_CASES[message]
    meta = Dirmeta(0, 0, 0o40755, xattrs)
    unsorted = encode_dirmeta(meta._replace(xattrs=()))[:12] + encode_xattrs(xattrs)
    checks: list[Callable[[], object]] = [
        lambda: check_xattrs(xattrs),
        lambda: check_dirmeta(unsorted),
        lambda: check_header(FileHeader(0, 0, 0o100644, "", xattrs)),
    ]
    for check in checks:
        with pytest.raises(FormatError) as caught:
            check()
        assert str(caught.value) == message


@pytest.mark.parametrize("name", [b"", b"\0", b"no-nul", b"in\0ner\0"])
def test_xattr_name_empty_or_without_nul_message(name: bytes) -> None:
    data = encode("a(ayay)", ((name, b"value"),))
    with pytest.raises(FormatError) as caught:
        decode_xattrs(data)
    assert str(caught.value) == "Invalid xattr name (empty or missing NUL) index=0"


def test_headers_of_old_archives_are_sorted_when_read() -> None:
    xattrs = ((b"user.b", b"1"), (b"user.a", b"2"))
    data = encode_archive_header(FileHeader(0, 0, 0o100644, "", xattrs), 3)
    header, size = decode_archive_header(data[8:])
    assert (header.xattrs, size) == (tuple(sorted(xattrs)), 3)
    assert decode_bare_user_meta(
        encode_bare_user_meta(FileHeader(0, 0, 0o100644, "", xattrs))
    ).xattrs == tuple(sorted(xattrs))


@pytest.mark.parametrize(
    ("prefix", "available", "message"),
    [
        (b"", 0, "File header size is zero"),
        (b"\0\0\0", 3, "File header size is zero"),
        (bytes(8), 100, "File header size is zero"),
        (b"\0\0\1\0" + bytes(4), 100, "File header size 256 exceeds size 100"),
        (b"\xff\xff\xff\xff" + bytes(4), 1 << 40, "File header size 4294967295 exceeds size"),
    ],
)
def test_archive_header_length_bad_prefix_message(
    prefix: bytes, available: int, message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        archive_header_length(prefix, available)


@pytest.mark.parametrize(
    ("mode", "rdev", "message"),
    [
        (0o100644, 7, "Corrupted archive file; invalid rdev 7"),
        (0o040755, 0, "Corrupted archive file; invalid mode 16877"),
        (0o020644, 0, "Corrupted archive file; invalid mode 8612"),
        (0, 0, "Corrupted archive file; invalid mode 0"),
    ],
)
def test_archive_header_bad_field_message(mode: int, rdev: int, message: str) -> None:
    data = encode("(tuuuusa(ayay))", (1, 0, 0, mode, rdev, "", ()), byteorder="big")
    with pytest.raises(FormatError) as caught:
        decode_archive_header(data)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (0o040755, "Invalid file metadata mode 16877; not a valid file type"),
        (0o1100644, "Invalid mode 295332; invalid bits in mode"),
    ],
)
def test_file_mode_bad_message(mode: int, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        check_file_mode(mode)
    assert str(caught.value) == message
    data = encode("(uuuusa(ayay))", (0, 0, mode, 0, "", ()), byteorder="big")
    with pytest.raises(FormatError):
        decode_header(data)


def test_symlink_target_not_utf8_is_refused() -> None:
    header = FileHeader(0, 0, 0o120777, "bad\udcff")
    for encoder in (encode_header, lambda header: encode_archive_header(header, 0)):
        with pytest.raises(FormatError, match="Invalid UTF-8 in symlink target"):
            encoder(header)


SUM = bytes(range(32))


def dirtree_bytes(files: tuple[object, ...] = (), dirs: tuple[object, ...] = ()) -> bytes:
    return encode("(a(say)a(sayay))", (files, dirs))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (dirtree_bytes((("..", SUM),)), "Invalid path uplink filename '..'"),
        (dirtree_bytes((), ((".", SUM, SUM),)), "Invalid self-referential filename '.'"),
        (dirtree_bytes((("a/b", SUM),)), "Invalid / in filename a/b"),
        (dirtree_bytes((("", SUM),)), "Invalid empty filename"),
        (dirtree_bytes((("a", b"short"),)), "Invalid checksum of length 5 expected 32"),
        (dirtree_bytes((), (("a", SUM, b""),)), "Invalid checksum of length 0 expected 32"),
        (b"", "Invalid checksum of length 0 expected 32"),
        (b"\xff\xff", "Invalid checksum of length 0 expected 32"),
    ],
)
def test_dirtree_bad_entry_message(data: bytes, message: str) -> None:
    for decoder in (decode_dirtree, check_dirtree):
        with pytest.raises((FormatError, InvalidNameError)) as caught:
            decoder(data)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    "data",
    [
        dirtree_bytes((("b", SUM), ("a", SUM))),
        dirtree_bytes((("a", SUM), ("a", SUM))),
        dirtree_bytes((("a", SUM),), (("a", SUM, SUM),)),
        dirtree_bytes((), (("b", SUM, SUM), ("a", SUM, SUM))),
    ],
    ids=["unsorted", "twice", "file and directory", "unsorted directories"],
)
def test_dirtree_ambiguous_names_are_refused_when_stored(data: bytes) -> None:
    decode_dirtree(data)  # what is stored already can be read
    with pytest.raises(FormatError, match="Not normal form"):
        check_dirtree(data)


# -- framing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "width"), [(0, 1), (255, 1), (256, 2), (65535, 2), (65536, 4), (1 << 32, 8)]
)
def test_offset_width(size: int, width: int) -> None:
    assert offset_width(size) == width


def test_array_whose_offsets_push_it_over_a_limit() -> None:
    # 254 bytes and two one-byte offsets would make 256: the offsets take two bytes each.
    elements = [b"x" * 127, b"y" * 127]
    data = join_array(elements)
    assert len(data) == 258
    assert split_array(data) == elements


@pytest.mark.parametrize("data", [b"\x05", b"ab\x02\x01", b"\0\xff", b"abc\x09"])
def test_split_array_bad_offsets_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="Not normal form"):
        split_array(data)


@pytest.mark.parametrize("raw", [b"", b"abc", b"a\0b\0", b"\xff\0"])
def test_decode_text_bad_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(FormatError, match="Not normal form"):
        decode_text(raw)
