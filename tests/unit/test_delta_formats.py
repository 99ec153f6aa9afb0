"""Static deltas, read and written byte for byte: one made by the reference, taken apart."""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import pytest

from pyostree.delta.part_file import open_payload, pack_part
from pyostree.delta.similar import NamedFile, find_pairs
from pyostree.errors import CorruptObjectError, FormatError, InvalidNameError
from pyostree.formats.bspatch import apply_patch
from pyostree.formats.delta_operations import (
    Close,
    Open,
    Patch,
    SetSource,
    SpliceFile,
    SpliceMetadata,
    UnsetSource,
    decode_operations,
    encode_operation,
)
from pyostree.formats.delta_part import FileMode, decode_payload, encode_payload
from pyostree.formats.delta_signed import encode_signed, split_signed
from pyostree.formats.delta_superblock import (
    Endianness,
    PartHeader,
    decode_objects,
    decode_superblock,
    encode_superblock,
    endianness_mark,
)
from pyostree.formats.gvariant import Variant, encode
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.formats.varint import decode_varint, encode_varint
from pyostree.fs.dir import Dir
from pyostree.repo.delta_dirs import delta_path, parse_delta_id, part_path

SOURCE = "7a538689cb4bb78fdf53f31cf5de246a786196dbd141da1522b8960006729bab"
TARGET = "2ef6e7e77137e022068ac1f0b8d86352bb2d407d4a394ceda88cb4aec965a5e7"
SUPERBLOCK = bytes.fromhex(
    "6f73747265652e656e6469616e6e657373000000000000006c0079121c000000000000006b0367877a538689cb4bb78f"
    "df53f31cf5de246a786196dbd141da1522b8960006729bab2ef6e7e77137e022068ac1f0b8d86352bb2d407d4a394ced"
    "a88cb4aec965a5e76f73747265652e7265662d62696e64696e6700000000000074657374000500617313227a538689cb"
    "4bb78fdf53f31cf5de246a786196dbd141da1522b8960006729bab7632000000000000006593520034ae4f633a7bee1b"
    "d994255dcf310d5bf0556f0d9b69974e40361c3856857fbb446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73"
    "f62988eb0b6c5488704746434323000000000000afd1ca5f746ff34b8e83c67d6ae4bdd5226c3cf3b27a841588d6fea0"
    "6b588b27000000006501000000000000e7000000000000000234ae4f633a7bee1bd994255dcf310d5bf0556f0d9b6997"
    "4e40361c3856857fbb013f641c201815592d9c5e5e25f3632626c957714b53aaccd856c8b21a5835ee2c011b7f596b24"
    "23aa3549631e5138c537c79a54441c1d7400c2e8183bf1526bea8f01f66efa496a72379413c44593de510dc344beb045"
    "294f1a543da87b2b6118db3524bd0000be01fe00fe00680048001d00"
)
PART = bytes.fromhex(
    "78fd377a585a000004e6d6b446020021011a000000cc9033e9e0017b01245d00006b9ea612b48414ab7287b707a86eec"
    "0d1f5e5e6ef0b1b514d53e23d9ced584c6f886bd84e069dbe211c919f14e0646d047956fff908350653cd722c4453f0a"
    "2f4e36ddcfa40288b90ed7bcc900dd93a872e0513755b851eb61a20241033bf9647a53ea000a6e7973ca885c22a23b98"
    "66cc161d69d1470190468f64d1645252693a37d1c37f2d64a0c940240d1dbf5eff265b0ca5d0b663af336ef18d7f366c"
    "043f0fdd07fc1f6fe9466773951001aa3b63c4814bd14a558109044a83501db1e7131f43853ab031f4cf53e006896fe2"
    "5b3085d4af5695b85c0c808987722081e9bb782ea243c9b4cb2ac710e76612386abd15d3a307f26e83ca08240e44e995"
    "f5b50457c0aed5795cd248737389dcd33679aa1e4558fa60856f7833b5c8f53482200e0000fcc403c57aa1a57b0001c0"
    "02fc02000078e44967b1c467fb020000000004595a"
)
EMPTY_PART = bytes.fromhex(
    "78fd377a585a000004e6d6b446020021011a000000cc9033e9010002000000000046dbd970c65ff9ea"
    "00011b030b2fb9101fb6f37d010000000004595a"
)
OLD = b"hello world, this is the old version of the file\n"
NEW = b"hello World, this is the new and better version of the file\n"


def unpacked(part: bytes) -> bytes:
    return lzma.decompress(part[1:])


class TestNames:
    def test_paths(self) -> None:
        name = parse_delta_id(f"{SOURCE}-{TARGET}")
        assert delta_path(name) == (
            "deltas/el/OGictLt4_fU_Mc9d4kanhhltvRQdoVIriWAAZym6s-"
            "Lvbn53E34CIGisHwuNhjUrstQH1KOUztqIy0rsllpec"
        )
        assert str(name) == f"{SOURCE}-{TARGET}"
        scratch = parse_delta_id(SOURCE)
        assert scratch.source is None
        assert part_path(scratch, 10) == ("deltas/el/OGictLt4_fU_Mc9d4kanhhltvRQdoVIriWAAZym6s/10")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("GARBAGE", "Invalid rev GARBAGE"),
            (f"{SOURCE}-", "Invalid rev "),
            (f"-{SOURCE}", "Invalid rev "),
            ("G" * 64, f"Invalid character '71' in rev '{'G' * 64}'"),
        ],
    )
    def test_bad_ids_refused(self, text: str, message: str) -> None:
        with pytest.raises(InvalidNameError) as caught:
            parse_delta_id(text)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"), (127, "7f"), (128, "8001"), (161, "a101"), (300, "ac02"), (16384, "808001"),
        (4000000, "8092f401"), (2**32, "8080808010"), (2**63, "80808080808080808001"),
        (2**64 - 1, "ffffffffffffffffff01"),
    ],
)  # fmt: skip
def test_varint(value: int, encoded: str) -> None:
    raw = bytes.fromhex(encoded)
    assert encode_varint(value) == raw
    assert decode_varint(b"x" + raw + b"x", 1) == (value, 1 + len(raw))


@pytest.mark.parametrize("encoded", ["", "80", "ff" * 10, "80" * 11 + "00"])
def test_endless_varint_refused(encoded: str) -> None:
    with pytest.raises(FormatError, match="Unexpected EOF reading varint"):
        decode_varint(bytes.fromhex(encoded), 0)


class TestSuperblock:
    def test_fields(self) -> None:
        superblock = decode_superblock(SUPERBLOCK)
        assert (str(superblock.source), str(superblock.target)) == (SOURCE, TARGET)
        assert superblock.timestamp == 1795385223
        assert superblock.endianness is Endianness.LITTLE
        assert hashlib.sha256(superblock.commit).hexdigest() == TARGET
        (part,) = superblock.parts
        assert part.raw_checksum == hashlib.sha256(PART).digest()
        assert (part.version, part.size, part.usize) == (0, len(PART), 231)
        kinds = [name.type for name in decode_objects(part.raw_objects)]
        assert kinds == [ObjectType.DIRTREE, ObjectType.FILE, ObjectType.FILE, ObjectType.FILE]
        assert encode_superblock(superblock) == SUPERBLOCK

    def test_sizes_in_the_other_byte_order(self) -> None:
        superblock = decode_superblock(SUPERBLOCK)._replace(
            endianness=Endianness.BIG, metadata=(endianness_mark("big"),)
        )
        swapped = encode_superblock(superblock)
        assert swapped != SUPERBLOCK
        assert decode_superblock(swapped) == superblock

    def test_unknown_mark_means_this_machine(self) -> None:
        mark = ("ostree.endianness", Variant("y", ord("?")))
        changed = decode_superblock(SUPERBLOCK)._replace(metadata=(mark,))
        found = decode_superblock(encode_superblock(changed))
        assert found.endianness is Endianness.INVALID
        assert found.parts == changed.parts

    @pytest.mark.parametrize(
        ("size", "usize", "expected"),
        [
            (100, 100, Endianness.INVALID),
            (121, 100, Endianness.BIG_GUESSED),  # tiny, but so it is in the reference
            (2**40, 2**50, Endianness.BIG_GUESSED),
        ],
    )
    def test_byte_order_guessed_without_a_mark(
        self, size: int, usize: int, expected: Endianness
    ) -> None:
        part = PartHeader(0, bytes(32), size, usize, b"\1" + bytes(32))
        plain = decode_superblock(SUPERBLOCK)._replace(
            metadata=(), parts=(part,), endianness=Endianness.LITTLE
        )
        assert decode_superblock(encode_superblock(plain)).endianness is expected

    def test_inline_part_of_another_type_counts_as_absent(self) -> None:
        superblock = decode_superblock(SUPERBLOCK)._replace(
            metadata=(("one", Variant("(yay)", (0x78, b"abc"))), ("two", Variant("ay", b"xabc")))
        )
        found = superblock.inline_part("one")
        assert found is not None
        assert b"".join(found.chunks()) == b"xabc"
        assert superblock.inline_part("two") is None
        assert superblock.inline_part("three") is None

    def test_objects_checked(self) -> None:
        with pytest.raises(FormatError, match="Invalid checksum array length 32"):
            decode_objects(bytes(32))
        with pytest.raises(FormatError, match="Invalid object type '7'"):
            decode_objects(b"\7" + bytes(32))

    def test_signed(self) -> None:
        signatures = (("ostree.sign.dummy", Variant("aay", (b"dummysign",))),)
        magic = int.from_bytes(b"OSTSGNDT", "little")
        signed = encode("(taya{sv})", (magic, SUPERBLOCK, signatures))
        found = split_signed(signed)
        assert found is not None
        assert found.data == SUPERBLOCK
        assert found.signatures == signatures
        assert encode_signed(SUPERBLOCK, "ostree.sign.dummy", [b"dummysign"]) == signed
        # From the start of the list on, as the format's description has it.
        assert signed[8 + len(SUPERBLOCK) :].hex() == (
            "00000000" "6f73747265652e7369676e2e64756d6d7900000000000000"
            "64756d6d797369676e090061617912" "27d401"
        )  # fmt: skip
        assert split_signed(SUPERBLOCK) is None
        assert split_signed(encode("(taya{sv})", (magic, SUPERBLOCK, ()))) is None


class TestPart:
    def test_fields(self) -> None:
        payload = decode_payload(memoryview(unpacked(PART)))
        assert payload.modes == (FileMode(0, 0, 0o100644), FileMode(0, 0, 0o120777))
        assert payload.xattrs == ((),)
        assert len(payload.blob) == 320
        objects = decode_objects(decode_superblock(SUPERBLOCK).parts[0].raw_objects)
        operations = list(decode_operations(payload.operations, objects))
        assert operations == [
            SpliceMetadata(161, 0),
            SetSource(161),
            Open(0, 0, 60),
            Patch(193, 108),
            Close(),
            UnsetSource(),
            SpliceFile(0, 0, 10, 301),
            SpliceFile(1, 0, 9, 311),
        ]
        assert b"".join(map(encode_operation, operations)) == payload.operations
        again = encode_payload(
            payload.modes, payload.xattrs, bytes(payload.blob), payload.operations
        )
        assert again == unpacked(PART)
        patch = payload.blob[193 : 193 + 108]
        assert b"".join(apply_patch(patch, memoryview(OLD), len(NEW))) == NEW

    def test_packed_like_the_reference_does(self) -> None:
        assert pack_part(unpacked(PART)) == PART
        assert pack_part(encode_payload((), (), b"", b"")) == EMPTY_PART

    @pytest.mark.parametrize(
        ("operations", "message"),
        [
            (b"R?", "Unknown opcode 63 at offset 1"),
            (b"w\1", "Unexpected EOF reading varint"),
            (b"c" * 2 + b"S\0\0", "more objects than it lists"),
        ],
    )
    def test_bad_operations_refused(self, operations: bytes, message: str) -> None:
        objects = [ObjectName(Checksum(bytes(32)), ObjectType.DIRMETA)] * 2
        with pytest.raises(FormatError, match=message):
            list(decode_operations(operations, objects))


class TestPartFile:
    def read(self, tmp_path: Path, *chunks: bytes, checksum: bytes | None = None) -> int:
        with (
            Dir.at(tmp_path) as temp,
            open_payload(chunks, temp, max_bytes=1 << 20, checksum=checksum) as payload,
        ):
            return len(payload.blob)

    def test_in_any_pieces(self, tmp_path: Path) -> None:
        digest = hashlib.sha256(PART).digest()
        assert self.read(tmp_path, PART, checksum=digest) == 320
        pieces = [PART[at : at + 7] for at in range(0, len(PART), 7)]
        assert self.read(tmp_path, b"", *pieces, checksum=digest) == 320
        assert self.read(tmp_path, b"\0" + unpacked(PART)) == 320

    def test_what_follows_counts_for_the_checksum_only(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, PART, b"more") == 320
        with pytest.raises(CorruptObjectError, match="Checksum mismatch in static delta part"):
            self.read(tmp_path, PART, b"more", checksum=hashlib.sha256(PART).digest())

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "empty"),
            (b"g123", "Invalid compression type '103'"),
            (b"xnot xz at all", "File format not recognized"),
            (PART[:200], "Input buffer too small"),
            (PART[:100] + b"\xff" * 40 + PART[140:], "Data is corrupt"),
            (b"\0ab", "Not normal form"),
            (b"x" + lzma.compress(bytes(2 << 20)), "exceeds configured limit of 1048576 bytes"),
        ],
    )
    def test_bad_files_refused(self, tmp_path: Path, data: bytes, message: str) -> None:
        with pytest.raises(FormatError, match=message):
            self.read(tmp_path, data)

    def test_decoder_that_needs_much_memory_refused(self, tmp_path: Path) -> None:
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 128 << 20}]
        data = lzma.compress(unpacked(PART), filters=filters)
        with pytest.raises(FormatError, match="Exceeded memory limit"):
            self.read(tmp_path, b"x" + data)
        assert self.read(tmp_path, b"x" + lzma.compress(unpacked(PART), preset=9)) == 320


class TestPatch:
    def number(self, value: int) -> bytes:
        return (abs(value) | (1 << 63 if value < 0 else 0)).to_bytes(8, "little")

    def apply(self, *records: tuple[int, int, int, bytes], size: int) -> bytes:
        parts = [b"".join(map(self.number, record[:3])) + record[3] for record in records]
        return b"".join(apply_patch(memoryview(b"".join(parts)), memoryview(b"abc"), size))

    def test_outside_the_old_file_counts_as_zero(self) -> None:
        assert self.apply((0, 0, -2, b""), (7, 0, 0, b"\1" * 7), size=7) == b"\1\1bcd\1\1"

    def test_bytes_wrap_around(self) -> None:
        assert self.apply((3, 0, 0, b"\xff\x9f\x80"), size=3) == b"`\x01\xe3"

    def test_nothing_needs_no_record(self) -> None:
        assert self.apply(size=0) == b""

    @pytest.mark.parametrize(
        "record",
        [(-1, 0, 0, b""), (0, -1, 0, b""), (4, 0, 0, bytes(4)), (0, 4, 0, bytes(4)),
         (2, 2, 0, bytes(4)), (3, 0, 0, bytes(2)), (2**40, 0, 0, b""), (0, 0, 0, b"")],
    )  # fmt: skip
    def test_bad_records_refused(self, record: tuple[int, int, int, bytes]) -> None:
        with pytest.raises(FormatError, match="bsdiff patch failed"):
            self.apply(record, size=3)


class TestSimilar:
    def pair(self, old: tuple[str, int], new: tuple[str, int]) -> bool:
        one, other = (
            NamedFile(Checksum(bytes([number]) * 32), size, frozenset([name]))
            for number, (name, size) in enumerate((old, new))
        )
        return list(find_pairs([one], [other])) == [(one.checksum, other.checksum)]

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            (("a", 700), ("a", 1000), True), (("a", 699), ("a", 1000), False),
            (("a", 1300), ("a", 1000), True), (("a", 1301), ("a", 1000), False),
            (("libfoo.so.1", 9), ("libfoo.so.2", 9), True),
            (("foo-1.2.tar", 9), ("foo-1.3.tar", 9), True),
            (("abc", 9), ("abd", 9), False), ((".foo", 9), (".bar", 9), False),
            (("a.xz", 9), ("a.xz", 9), False), (("a.gz", 9), ("a.gz", 9), True),
            (("xz", 9), ("xz", 9), True), (("a", 0), ("a", 0), False),
        ],
    )  # fmt: skip
    def test_by_name_and_size(
        self, old: tuple[str, int], new: tuple[str, int], expected: bool
    ) -> None:
        assert self.pair(old, new) is expected

    def test_same_name_before_same_stem_then_smallest(self) -> None:
        names = ("lib.so.1", "lib.so.2", "lib.so.3")
        old = [
            NamedFile(Checksum(bytes([number]) * 32), 100 + number, frozenset([name]))
            for number, name in enumerate(names)
        ]
        target = Checksum(bytes([9]) * 32)
        exact = NamedFile(target, 100, frozenset(["lib.so.3"]))
        assert list(find_pairs(old, [exact])) == [(old[2].checksum, target)]
        other = NamedFile(target, 100, frozenset(["lib.so.4"]))
        assert list(find_pairs(old, [other])) == [(old[0].checksum, target)]
