"""What holds for every static delta, and for every string of bytes taken for a piece of one."""

from __future__ import annotations

from contextlib import suppress

from bsdiff4 import core
from hypothesis import given
from hypothesis import strategies as st

from pyostree.delta.signatures import DeltaKeys, DeltaSigners, SuperblockCheck
from pyostree.errors import FormatError, InvalidNameError, VerificationError
from pyostree.formats.bspatch import apply_patch, join_patch
from pyostree.formats.commit import COMMIT_TYPE, Commit, encode_commit
from pyostree.formats.delta_operations import (
    Close,
    Open,
    Operation,
    Patch,
    SetSource,
    SpliceFile,
    SpliceMetadata,
    UnsetSource,
    Write,
    decode_operations,
    encode_operation,
)
from pyostree.formats.delta_part import FileMode, decode_payload, encode_payload
from pyostree.formats.delta_signed import SIGNED_TYPE, SignedSuperblock, encode_signed, split_signed
from pyostree.formats.delta_superblock import (
    SUPERBLOCK_TYPE,
    Endianness,
    Fallback,
    PartHeader,
    Superblock,
    decode_superblock,
    encode_superblock,
    endianness_mark,
)
from pyostree.formats.gvariant import Variant, decode
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.formats.varint import decode_varint, encode_varint
from pyostree.sign.detached import signatures_under
from sign_lab import ed25519_pair

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
CHECKSUMS = st.binary(min_size=32, max_size=32).map(Checksum)
XATTRS = st.lists(
    st.tuples(st.binary(min_size=1, max_size=9).filter(lambda name: 0 not in name), st.binary()),
    max_size=3,
).map(tuple)
COMMIT = encode_commit(
    Commit((), None, (), "s", "b", 7, Checksum(bytes(32)), Checksum(bytes(range(32))))
)
SUPERBLOCKS = st.builds(
    Superblock,
    metadata=st.just((endianness_mark("big"),)),
    timestamp=U64,
    source=st.none() | CHECKSUMS,
    target=CHECKSUMS,
    commit=st.just(COMMIT),
    parts=st.lists(
        st.builds(PartHeader, U32, CHECKSUMS.map(bytes), U64, U64, st.binary(max_size=70)),
        max_size=3,
    ).map(tuple),
    fallbacks=st.lists(
        st.builds(Fallback, st.integers(0, 255), CHECKSUMS.map(bytes), U64, U64), max_size=3
    ).map(tuple),
    endianness=st.just(Endianness.BIG),
    parents=st.just(()),
)
OPERATIONS = st.lists(
    st.one_of(
        st.builds(SpliceMetadata, U64, U64),
        st.builds(SpliceFile, U64, U64, U64, U64),
        st.builds(Open, U64, U64, U64),
        st.builds(Write, U64, U64),
        st.builds(SetSource, U64),
        st.just(UnsetSource()),
        st.just(Close()),
        st.builds(Patch, U64, U64),
    )
)


def spoiled(data: bytes, changes: list[tuple[int, int]], length: float) -> bytes:
    """Change some bytes, then cut."""
    changed = bytearray(data)
    for position, value in changes:
        changed[position % len(changed)] = value
    return bytes(changed[: round(len(changed) * length)])


CHANGES = st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=4)
LENGTHS = st.floats(0, 1) | st.just(1.0)


@given(U64)
def test_varint_round_trip(value: int) -> None:
    assert decode_varint(encode_varint(value), 0) == (value, len(encode_varint(value)))


@given(SUPERBLOCKS)
def test_superblock_round_trip(superblock: Superblock) -> None:
    assert decode_superblock(encode_superblock(superblock)) == superblock


@given(SUPERBLOCKS, CHANGES, LENGTHS)
def test_spoiled_superblock_only_raises_what_it_may(
    superblock: Superblock, changes: list[tuple[int, int]], length: float
) -> None:
    data = spoiled(encode_superblock(superblock), changes, length)
    with suppress(FormatError, InvalidNameError):
        decode_superblock(data)
    split_signed(data)
    split_signed(b"OSTSGNDT" + data)


SIGNATURES = st.lists(st.binary(max_size=70), max_size=4)


@given(st.binary(max_size=300), SIGNATURES)
def test_signed_superblock_round_trip(data: bytes, signatures: list[bytes]) -> None:
    listed = Variant("aay", tuple(signatures))
    found = split_signed(encode_signed(data, "ostree.sign.some", signatures))
    assert found == SignedSuperblock(data, (("ostree.sign.some", listed),))


@given(SUPERBLOCKS, CHANGES, LENGTHS, st.booleans())
def test_superblock_is_split_as_any_gvariant(
    superblock: Superblock, changes: list[tuple[int, int]], length: float, as_view: bool
) -> None:
    """Who looks at a file another way must not see another delta in it."""
    inline = (("part", Variant("(yay)", (120, b"payload"))),)
    superblock = superblock._replace(metadata=(*superblock.metadata, *inline))
    data = spoiled(encode_superblock(superblock), changes, length)
    found, expected = None, None
    with suppress(FormatError, InvalidNameError):
        found = decode_superblock(memoryview(data) if as_view else data)
    with suppress(FormatError):
        expected = decode(SUPERBLOCK_TYPE, data)
    if found is not None:
        assert expected is not None
        assert found.metadata == expected[0]
        source = b"" if found.source is None else bytes(found.source)
        assert (source, bytes(found.target)) == expected[2:4]
        assert decode(COMMIT_TYPE, found.commit) == expected[4]
        assert [len(part.raw_objects) for part in found.parts] == [len(p[4]) for p in expected[6]]
        assert [one.raw_checksum for one in found.fallbacks] == [one[1] for one in expected[7]]
    elif expected is not None:
        assert len(expected[2]) not in {0, 32} or len(expected[3]) != 32 or len(expected[5]) % 64


@given(SUPERBLOCKS, SIGNATURES, CHANGES, LENGTHS)
def test_spoiled_signed_superblock_only_raises_what_it_may(
    superblock: Superblock, signatures: list[bytes], changes: list[tuple[int, int]], length: float
) -> None:
    """Whatever is found is one whole run of the file's bytes, and decodes or not."""
    signed = encode_signed(encode_superblock(superblock), "ostree.sign.some", signatures)
    data = spoiled(signed, changes, length)
    found = split_signed(memoryview(data))
    assert found == split_signed(data)
    if found is None:
        return
    assert (b"OSTSGNDT", found.data, found.signatures) == (data[:8], *decode(SIGNED_TYPE, data)[1:])
    signatures_under(found.signatures, "ostree.sign.some")
    with suppress(FormatError, InvalidNameError):
        decode_superblock(found.data)


@given(SUPERBLOCKS, SUPERBLOCKS, CHANGES, LENGTHS)
def test_nothing_but_what_was_signed_is_unwrapped(
    superblock: Superblock, other: Superblock, changes: list[tuple[int, int]], length: float
) -> None:
    pair = ed25519_pair()
    data = encode_superblock(superblock)
    signed = DeltaSigners(pair.engine, (pair.secret,)).sign(data)
    found = split_signed(signed)
    assert found is not None
    ((key, signatures),) = found.signatures
    replayed = encode_signed(encode_superblock(other), key, signatures.value)
    with SuperblockCheck(DeltaKeys(keys=(pair.public,)), needs_signature=False) as check:
        assert check.unwrap(signed) == data
        for attempt in (spoiled(signed, changes, length), replayed):
            with suppress(VerificationError):
                assert check.unwrap(attempt) == data


@given(
    st.lists(st.builds(FileMode, U32, U32, U32), max_size=4),
    st.lists(XATTRS, max_size=3),
    st.binary(max_size=300),
    st.binary(max_size=40),
)
def test_payload_round_trip(
    modes: list[FileMode],
    xattrs: list[tuple[tuple[bytes, bytes], ...]],
    blob: bytes,
    operations: bytes,
) -> None:
    found = decode_payload(memoryview(encode_payload(modes, xattrs, blob, operations)))
    assert found.modes == tuple(modes)
    assert found.xattrs == tuple(xattrs)
    assert (bytes(found.blob), found.operations) == (blob, operations)


@given(st.binary(max_size=200))
def test_bytes_taken_for_a_payload(data: bytes) -> None:
    with suppress(FormatError):
        decode_payload(memoryview(data))


@given(OPERATIONS)
def test_operations_round_trip(operations: list[Operation]) -> None:
    kinds = {SpliceMetadata: ObjectType.DIRTREE}
    objects = [
        ObjectName(Checksum(bytes(32)), kinds.get(type(one), ObjectType.FILE))
        for one in operations
        if isinstance(one, SpliceMetadata | SpliceFile | Close)
    ]
    data = b"".join(map(encode_operation, operations))
    assert list(decode_operations(data, objects)) == operations


@given(st.binary(), st.lists(st.sampled_from([ObjectType.FILE, ObjectType.DIRMETA])))
def test_bytes_taken_for_operations(data: bytes, kinds: list[ObjectType]) -> None:
    objects = [ObjectName(Checksum(bytes(32)), kind) for kind in kinds]
    with suppress(FormatError):
        for _ in decode_operations(data, objects):
            pass


@given(st.binary(), st.binary())
def test_patch_of_two_files(old: bytes, new: bytes) -> None:
    patch = join_patch(*core.diff(old, new))
    assert b"".join(apply_patch(memoryview(patch), memoryview(old), len(new))) == new


@given(st.binary(max_size=200), st.binary(max_size=50), st.integers(0, 2**64 - 1))
def test_bytes_taken_for_a_patch(patch: bytes, old: bytes, size: int) -> None:
    written = 0
    with suppress(FormatError):
        for piece in apply_patch(memoryview(patch), memoryview(old), size):
            written += len(piece)
    assert written <= min(size, len(patch))
