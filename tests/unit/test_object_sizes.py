"""Entries of ``ostree.sizes``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.errors import FormatError
from pyostree.formats.object_sizes import (
    ObjectSize,
    decode_object_size,
    decode_varint,
    encode_object_size,
    encode_varint,
)
from pyostree.formats.objects import Checksum, ObjectName, ObjectType

_SUM = Checksum(bytes(range(32)))


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (16384, "808001"),
        (1 << 32, "8080808010"),
        ((1 << 64) - 1, "ffffffffffffffffff01"),
    ],
)
def test_varint_known_values(number: int, encoded: str) -> None:
    assert encode_varint(number).hex() == encoded
    assert decode_varint(bytes.fromhex(encoded), 0) == (number, len(encoded) // 2)


@pytest.mark.parametrize("encoded", ["", "80", "ff" * 10, "80" * 11, "ffffffffffffffffff02"])
def test_varint_without_end_is_refused(encoded: str) -> None:
    with pytest.raises(FormatError, match="varint"):
        decode_varint(bytes.fromhex(encoded), 0)


@given(
    st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1), st.sampled_from(list(ObjectType))
)
def test_object_size_round_trip(archived: int, unpacked: int, kind: ObjectType) -> None:
    size = ObjectSize(ObjectName(_SUM, kind), archived, unpacked)
    assert decode_object_size(encode_object_size(size)) == size


def test_object_size_of_old_commit_is_a_file() -> None:
    entry = bytes(_SUM) + b"\x30\x0c"
    assert decode_object_size(entry).name == ObjectName(_SUM, ObjectType.FILE)


@pytest.mark.parametrize("entry", [b"", bytes(31), bytes(32), bytes(33), bytes(34) + b"\x0a"])
def test_object_size_damaged_is_refused(entry: bytes) -> None:
    with pytest.raises(FormatError):
        decode_object_size(entry)
