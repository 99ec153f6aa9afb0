"""Names of objects: checksums, types, paths, and the names that may stand in trees."""

from __future__ import annotations

import pytest

from pyostree.errors import InvalidNameError
from pyostree.formats.objects import (
    Checksum,
    ObjectName,
    ObjectType,
    check_filename,
    checksum_from_variant,
    is_checksum,
    loose_path,
    parse_checksum,
)

HEX = "446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488"


def test_checksum_prints_as_hex_and_compares_as_bytes() -> None:
    checksum = parse_checksum(HEX)
    assert str(checksum) == HEX
    assert checksum == bytes.fromhex(HEX)
    assert {checksum: 1}[Checksum(bytes.fromhex(HEX))] == 1


@pytest.mark.parametrize("size", [0, 20, 31, 33])
def test_checksum_of_wrong_size_is_a_programming_error(size: int) -> None:
    with pytest.raises(ValueError, match=f"not {size}"):
        Checksum(bytes(size))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid rev "),
        ("abc", "Invalid rev abc"),
        ("a\nb", "Invalid rev a b"),
        ("x" * 100, "Invalid rev " + "x" * 64),
        ("a" * 63 + "A", f"Invalid character '65' in rev '{'a' * 63}A'"),
        ("z" + "g" * 63, f"Invalid character '122' in rev 'z{'g' * 63}'"),
        ("\udcff", "Invalid rev \ufffd"),
        ("é" * 32, f"Invalid character '195' in rev '{'é' * 32}'"),
    ],
)
def test_parse_checksum_bad_text_message(text: str, message: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        parse_checksum(text)
    assert str(caught.value) == message
    assert not is_checksum(text)


@pytest.mark.parametrize(
    ("kind", "extension", "is_metadata"),
    [
        (ObjectType.FILE, "file", False),
        (ObjectType.DIRTREE, "dirtree", True),
        (ObjectType.DIRMETA, "dirmeta", True),
        (ObjectType.COMMIT, "commit", True),
        (ObjectType.TOMBSTONE_COMMIT, "tombstone-commit", True),
        (ObjectType.COMMITMETA, "commitmeta", True),
        (ObjectType.PAYLOAD_LINK, "payload-link", False),
        (ObjectType.FILE_XATTRS, "file-xattrs", False),
        (ObjectType.FILE_XATTRS_LINK, "file-xattrs-link", False),
    ],
)
def test_object_type_extension_and_kind(
    kind: ObjectType, extension: str, is_metadata: bool
) -> None:
    assert kind.extension == extension
    assert kind.is_metadata == is_metadata
    assert str(ObjectName(parse_checksum(HEX), kind)) == f"{HEX}.{extension}"


def test_loose_path_splits_after_two_digits() -> None:
    assert loose_path(parse_checksum(HEX), "dirmeta") == f"44/{HEX[2:]}.dirmeta"


def test_checksum_from_variant_wrong_length_message() -> None:
    with pytest.raises(InvalidNameError, match="Invalid checksum of length 3 expected 32"):
        checksum_from_variant(b"abc")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (".", "Invalid self-referential filename '.'"),
        ("..", "Invalid path uplink filename '..'"),
        ("a/b", "Invalid / in filename a/b"),
        ("/", "Invalid / in filename /"),
        ("", "Invalid empty filename"),
        ("a\0b", "Invalid NUL in filename"),
        ("bad\udcff", "Invalid UTF-8 in filename bad\udcff"),
    ],
)
def test_check_filename_bad_name_message(name: str, message: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        check_filename(name)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "name", ["a", "...", ".hidden", "a b", "-x", "new\nline", "日本", "n" * 255]
)
def test_check_filename_odd_names_are_fine(name: str) -> None:
    check_filename(name)
