"""Archives as bytes: which members a reader finds, and what it refuses."""

from __future__ import annotations

import pytest

from pyostree.formats.archive_format import Compression, find_compression, open_archive
from pyostree.formats.archive_member import ArchiveError, Member, MemberKind
from pyostree.formats.byte_stream import ByteStream
from pyostree.formats.cpio_reader import CpioReader
from pyostree.formats.tar_header import decode_number
from pyostree.formats.tar_reader import TarReader
from tar_lab import (
    COMPRESSORS,
    END,
    Item,
    chunks_of,
    encoded,
    header,
    link,
    make_tar,
    padded,
    pax,
    symlink,
)


def read(data: bytes, chunk: int = 1000) -> list[tuple[Member, bytes]]:
    reader = open_archive(ByteStream(chunks_of(data, chunk)))
    found = []
    while (member := reader.next_member()) is not None:
        found.append((member, bytes(reader.read_content())))
    return found


def first(data: bytes) -> Member:
    return read(data)[0][0]


# -- streams -----------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_stream_gives_the_bytes_in_pieces_of_any_size(chunk: int) -> None:
    data = bytes(range(100))
    stream = ByteStream(chunks_of(data, chunk))
    assert stream.peek(5) == data[:5]
    assert stream.take(10) == data[:10]
    assert b"".join(stream.pieces(20)) == data[10:30]
    assert stream.skip(5) == 0
    assert b"".join(stream.rest()) == data[35:]
    assert stream.take(1) == b""
    assert stream.skip(4) == 4


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_stream_goes_back_by_what_it_gave(chunk: int) -> None:
    data = bytes(range(100))
    stream = ByteStream(chunks_of(data, chunk))
    for end in (10, 11, 60, 100):
        given = bytes(stream.take(end))
        assert given == data[:end]
        stream.put_back(given)
    assert b"".join(stream.rest()) == data


def test_stream_take_within_a_chunk_copies_nothing() -> None:
    data = b"x" * 100
    assert ByteStream(iter((data,))).take(50).obj is data


# -- headers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b"   644 \0", 0o644),
        (b"644\0junk", 0o644),
        (b"\0" * 8, 0),
        (b"no digit", 0),
        (b"-17\0\0\0\0\0", -0o17),
        (b"\x80\0\0\0\0\0\0\x09", 9),
        (b"\xff" * 8, -1),
        (b"78\0\0\0\0\0\0", 7),
    ],
)
def test_decode_number(field: bytes, value: int) -> None:
    assert decode_number(field) == value


def test_prefix_of_posix_archives_stands_before_the_name() -> None:
    name = "p" * 150 + "/" + "n" * 90
    assert first(make_tar(Item(name), format="ustar")).path == name.encode()


def test_gnu_archives_keep_times_where_others_have_the_prefix() -> None:
    block = header(b"name", magic=b"ustar  \0")[:345] + b"12345670123\0"
    block += bytes(512 - len(block))
    total = sum(block) - sum(block[148:156]) + 8 * 32
    block = block[:148] + b"%06o\0 " % total + block[156:]
    assert first(block + END).path == b"name"


def test_checksum_of_signed_bytes_is_accepted() -> None:
    block = header("ü".encode())
    signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:]) + 256
    assert first(block[:148] + b"%06o\0 " % signed + block[156:] + END).path == "ü".encode()


def test_long_names_and_targets_of_gnu_archives_replace_those_of_the_header() -> None:
    found = first(make_tar(symlink("n" * 200, "t" * 200), format="gnu"))
    assert (found.path, found.target) == (b"n" * 200, b"t" * 200)


def test_pax_records_override_the_header() -> None:
    records = ((b"path", b"other"), (b"uid", b"70000"), (b"gid", b"5"), (b"size", b"3"))
    member, content = read(pax(*records) + header(b"name") + padded(b"abc") + END)[0]
    assert (member.path, member.uid, member.gid, content) == (b"other", 70000, 5, b"abc")


def test_pax_records_count_for_one_member_and_global_ones_not_at_all() -> None:
    globals_ = header(b"g", 9, b"g") + padded(b"9 uid=77\n")
    found = read(globals_ + pax((b"uid", b"5")) + header(b"a") + header(b"b") + END)
    assert [member.uid for member, _ in found] == [5, 0]


def test_xattrs_of_all_spellings_are_sorted_and_the_last_of_a_name_counts() -> None:
    data = pax(
        (b"SCHILY.xattr.user.z", b"\0raw\n=\xff"),
        (b"LIBARCHIVE.xattr.user.a%3Db", encoded(b"\xff\xfe")),
        (b"RHT.security.selinux", b"label"),
        (b"SCHILY.xattr.user.twice", b"first"),
        (b"LIBARCHIVE.xattr.user.twice", encoded(b"second")),
    )
    assert first(data + header(b"f") + END).xattrs == (
        (b"security.selinux", b"label"),
        (b"user.a=b", b"\xff\xfe"),
        (b"user.twice", b"second"),
        (b"user.z", b"\0raw\n=\xff"),
    )


@pytest.mark.parametrize(
    ("flag", "kind"),
    [
        (b"0", MemberKind.FILE), (b"\0", MemberKind.FILE), (b"7", MemberKind.FILE),
        (b"Z", MemberKind.FILE), (b"1", MemberKind.HARD_LINK), (b"2", MemberKind.SYMLINK),
        (b"3", MemberKind.OTHER), (b"4", MemberKind.OTHER), (b"6", MemberKind.OTHER),
        (b"M", MemberKind.OTHER), (b"5", MemberKind.DIRECTORY), (b"D", MemberKind.DIRECTORY),
    ],
)  # fmt: skip
def test_kind_of_each_type_flag(flag: bytes, kind: MemberKind) -> None:
    assert first(header(b"f", kind=flag, target=b"t") + END).kind is kind


def test_size_of_a_hard_link_is_that_of_its_target_unless_pax_says_otherwise() -> None:
    plain = read(header(b"l", 600, b"1", target=b"f") + header(b"g") + END)
    assert [(m.path, m.size) for m, _ in plain] == [(b"l", 0), (b"g", 0)]
    with_content = pax((b"a", b"b")) + header(b"l", 3, b"1", target=b"f") + padded(b"abc") + END
    assert read(with_content)[0][1] == b"abc"


# -- sparse files ------------------------------------------------------------------------------

EXPANDED = b"\0" * 10 + b"abc" + b"\0" * 87 + b"de" + b"\0" * 400
OLD_MAP = b"".join(b"%011o\0%011o\0" % pair for pair in ((10, 3), (100, 2))) + bytes(48)
TEXT_MAP = padded(b"2\n10\n3\n100\n2\n")
SPARSE = {
    "old": header(b"s", 5, b"S", magic=b"ustar  \0", rest=OLD_MAP + b"\0%011o\0" % 502)
    + padded(b"abcde"),
    "0.0": pax(
        (b"GNU.sparse.size", b"502"), (b"GNU.sparse.numblocks", b"2"),
        (b"GNU.sparse.offset", b"10"), (b"GNU.sparse.numbytes", b"3"),
        (b"GNU.sparse.offset", b"100"), (b"GNU.sparse.numbytes", b"2"),
    ) + header(b"s", 5) + padded(b"abcde"),
    "0.1": pax((b"GNU.sparse.size", b"502"), (b"GNU.sparse.map", b"10,3,100,2"))
    + header(b"s", 5) + padded(b"abcde"),
    "1.0": pax(
        (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.name", b"s"), (b"GNU.sparse.realsize", b"502"),
    ) + header(b"other", 512 + 5) + TEXT_MAP + padded(b"abcde"),
}  # fmt: skip


@pytest.mark.parametrize("version", SPARSE)
def test_sparse_files_are_expanded(version: str) -> None:
    found = read(SPARSE[version] + header(b"next") + END)
    assert [(m.path, m.size, data) for m, data in found] == [
        (b"s", 502, EXPANDED),
        (b"next", 0, b""),
    ]


def test_old_sparse_map_may_go_on_in_further_blocks() -> None:
    pairs = b"".join(b"%011o\0%011o\0" % (100 * n, 1) for n in range(5))
    block = header(b"s", 5, b"S", magic=b"ustar  \0", rest=pairs[:96] + b"\1%011o\0" % 500) + pairs[
        96:
    ].ljust(512, b"\0")
    assert read(block + padded(b"abcde") + END)[0][1] == b"".join(
        bytes([byte]).ljust(100, b"\0") for byte in b"abcde"
    )


@pytest.mark.parametrize(
    "numbers",
    [b"10,3,5,2", b"0,6", b"10,3", b"100", b"-5,3,1,2", b"600,5", b"1,x"],
    ids=["backwards", "too much", "too little", "odd", "negative", "behind the end", "no number"],
)
def test_sparse_maps_without_sense_are_refused(numbers: bytes) -> None:
    data = pax((b"GNU.sparse.size", b"502"), (b"GNU.sparse.map", numbers))
    with pytest.raises(ArchiveError):
        read(data + header(b"s", 5) + padded(b"abcde") + END)


def test_sparse_map_of_countless_parts_is_refused_before_it_is_read() -> None:
    data = pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"9"))
    with pytest.raises(ArchiveError, match="too many parts"):
        read(data + header(b"s", 1 << 40) + padded(b"999999999\n"))


# -- what is refused ---------------------------------------------------------------------------

GOOD = make_tar(Item("first", b"x"), Item("usr/bin/second", b"y" * 600), link("l", "first"))
BAD = {
    "truncated header": (GOOD[:1100], "Truncated tar archive: first"),
    "truncated content": (GOOD[:1900], "Truncated tar archive: usr/bin/second"),
    "damaged header": (GOOD[:1030] + b"X" + GOOD[1031:], "Damaged tar archive: first"),
    "negative size": (header(b"f", octal=b"\xff" * 12) + END, "negative size"),
    "negative pax size": (
        pax((b"size", b"-1")) + header(b"f") + END,
        "negative: f",
    ),
    "absurd pax size": (pax((b"size", b"9" * 30)) + header(b"f") + END, "Damaged tar archive: f"),
    "huge pax header": (
        header(b"p", octal=b"77777777777\0", kind=b"x"),
        "Special header too large",
    ),
    "huge long name": (header(b"p", 17 << 20, b"L"), "Special header too large"),
    "header at the end": (pax((b"a", b"b")) + END, "Truncated tar archive"),
    "malformed pax": (
        header(b"p", 5, b"x") + padded(b"99 a=") + END,
        "Ignoring malformed pax extended attribute",
    ),
    "pax without length": (
        header(b"p", 5, b"x") + padded(b"path=") + END,
        "Ignoring malformed pax extended attributes",
    ),
    "pax length zero": (header(b"p", 4, b"x") + padded(b"0 a=") + END, "Ignoring malformed"),
    "pax without value": (header(b"p", 4, b"x") + padded(b"4 a\n") + END, "Invalid pax"),
    "xattr without name": (pax((b"SCHILY.xattr.", b"v")) + header(b"f") + END, "xattr name"),
    "xattr name with NUL": (pax((b"LIBARCHIVE.xattr.a%00b", b"")) + header(b"f") + END, "xattr"),
    "garbage": (b"garbage" * 200, "Unrecognized archive format"),
    "short garbage": (b"garbage", "Unrecognized archive format"),
    "zip": (b"PK\x03\x04" + bytes(600), "Unsupported archive format zip"),
    "cpio of nothing": (b"070701" + b"0" * 20, "Truncated cpio archive"),
    "cpio without digits": (b"070701" + b"x" * 200, "Damaged cpio archive"),
    "cpio with a huge name": (b"070701" + b"F" * 104 + bytes(100), "Damaged cpio archive"),
    "cpio without end": (
        b"070701" + b"0" * 88 + b"00000002" + b"0" * 8 + b"a\0",
        "Truncated cpio archive: a",
    ),
}


def test_sizes_that_do_not_fit_in_a_signed_number_of_64_bits_are_refused() -> None:
    for size in (2**63 - 1, 2**63, 2**64):
        number = b"%d" % size
        with pytest.raises(ArchiveError, match="Tar size attribute overflow: f"):
            read(pax((b"size", number)) + header(b"f") + END)
        with pytest.raises(ArchiveError, match="Tar entry size overflow"):
            read(header(b"f", octal=b"\x80" + size.to_bytes(11, "big")) + END)
        for sparse in ((b"size", b"map", b"0,3"), (b"realsize", b"major", b"1")):
            name, other, value = (b"GNU.sparse." + sparse[0], b"GNU.sparse." + sparse[1], sparse[2])
            with pytest.raises(ArchiveError, match=r"Damaged tar archive \(sparse file\): f"):
                read(pax((name, number), (other, value)) + header(b"f", 3) + padded(b"0\n3") + END)
    reader = TarReader(ByteStream(iter((pax((b"size", b"%d" % (2**63 - 2))) + header(b"f"),))))
    assert reader.next_member() is not None


def test_hard_link_to_nothing_is_no_link() -> None:
    assert first(header(b"l", kind=b"1") + END).kind is MemberKind.OTHER
    data = pax((b"linkpath", b"")) + header(b"l", 3, kind=b"1") + padded(b"abc") + END
    assert [(m.kind, content) for m, content in read(data)] == [(MemberKind.FILE, b"abc")]
    data = pax((b"linkpath", b"")) + header(b"l", kind=b"1", target=b"f") + END
    assert first(data).target == b"f"


@pytest.mark.parametrize("kind", [b"x", b"X", b"g", b"L", b"K", b"A"])
def test_special_headers_have_a_mebibyte_at_most(kind: bytes) -> None:
    def archive(size: int) -> bytes:
        lengths = (500_000, 500_000, size - 1_000_000)
        body = b"".join((b"%d a=" % n).ljust(n - 1, b"x") + b"\n" for n in lengths)
        return header(b"h", size, kind) + padded(body) + header(b"f") + END

    most = 1 << 20
    assert len(read(archive(most))) == 1
    with pytest.raises(ArchiveError, match="Special header too large"):
        read(archive(most + 1))


def test_records_of_a_megabyte_are_refused() -> None:
    longest = b"x" * (999_999 - len(b"999999 SCHILY.xattr.user.a=\n"))
    assert first(pax((b"SCHILY.xattr.user.a", longest)) + header(b"f") + END).xattrs == (
        (b"user.a", longest),
    )
    with pytest.raises(ArchiveError, match="Rejecting pax extended attribute > 1MB"):
        read(pax((b"SCHILY.xattr.user.a", longest + b"x")) + header(b"f") + END)


@pytest.mark.parametrize("name", BAD)
def test_bad_archives_are_refused_by_name_of_the_member(name: str) -> None:
    data, message = BAD[name]
    with pytest.raises(ArchiveError) as info:
        read(data)
    assert message in str(info.value)


def _first_of_cpio(*fields: bytes) -> Member | None:
    data = b"".join(fields) + b"a\0abc" + bytes(600)
    return CpioReader(ByteStream(iter((data,)))).next_member()


CPIO_FIELDS = {
    "portable": (b"070707", *(b"000001",) * 7, b"0" * 11, b"000002", b"00000000003"),
    "new": (b"070701", *(b"00000001",) * 11, b"00000002", b"0" * 8),
}


@pytest.mark.parametrize("kind", CPIO_FIELDS)
@pytest.mark.parametrize("number", [b"-%b1", b"+%b1", b"%b_1", b"%b 1", b"1%b ", b"0x%b", b"%b\0x"])
def test_cpio_numbers_are_digits_and_nothing_else(kind: str, number: bytes) -> None:
    good = CPIO_FIELDS[kind]
    assert _first_of_cpio(*good) is not None
    for place in range(1, len(good)):  # the reference looks at those that are not used, too
        width = len(good[place])
        text = number % (b"0" * (width - len(number) + 2))
        assert len(text) == width
        with pytest.raises(ArchiveError, match="Damaged cpio archive"):
            _first_of_cpio(*good[:place], text, *good[place + 1 :])


def test_long_rows_of_extended_headers_need_no_stack() -> None:
    rows = header(b"L", 2, b"L") + padded(b"n\0")
    assert first(rows * 5000 + header(b"f") + END).path == b"n"


def test_members_that_were_not_read_are_passed_over() -> None:
    reader = TarReader(ByteStream(chunks_of(GOOD, 700)))
    names = []
    while (member := reader.next_member()) is not None:
        names.append(member.path)
    assert names == [b"first", b"usr/bin/second", b"l"]


# -- compression -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPRESSORS)
def test_find_compression_by_the_first_bytes(name: str) -> None:
    found = find_compression(COMPRESSORS[name](GOOD)[:512])
    assert (found is None) == (name == "plain")


def test_find_compression_is_not_misled_by_names_of_members() -> None:
    for name in ("BZh9", "]\0\0", "(\xb5/\xfd"):
        block = header(name.encode("latin-1"))
        assert find_compression(block) is None


def test_find_compression_knows_frames_that_parallel_zstd_skips() -> None:
    assert find_compression(b"\x50\x2a\x4d\x18" + bytes(100)) is Compression.ZSTD
