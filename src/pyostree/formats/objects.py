"""Object names: checksums, object types, and where loose objects lie in a repository.

Source: "The object model" of the OSTree repository format; checksums are SHA-256.
"""

from __future__ import annotations

import enum
from typing import NamedTuple, Self

from pyostree.errors import InvalidNameError

CHECKSUM_BYTES = 32
CHECKSUM_HEX = 64
# Of metadata objects, superblocks, summaries and other small files from outside: nothing honest
# comes near, and it fits into memory.
MAX_METADATA_BYTES = 128 << 20
_HEX_DIGITS = frozenset("0123456789abcdef")


class Checksum(bytes):
    """SHA-256 that names an object: 32 raw bytes, printed as 64 lowercase hex digits."""

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != CHECKSUM_BYTES:
            raise ValueError(f"a checksum has {CHECKSUM_BYTES} bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"Checksum({self.hex()})"


class ObjectType(enum.IntEnum):
    """Kinds of objects, with the numbers that appear on the wire."""

    FILE = 1
    DIRTREE = 2
    DIRMETA = 3
    COMMIT = 4
    TOMBSTONE_COMMIT = 5
    COMMITMETA = 6
    PAYLOAD_LINK = 7
    FILE_XATTRS = 8
    FILE_XATTRS_LINK = 9

    @property
    def extension(self) -> str:
        """The type's name in file names and messages, such as ``dirtree``."""
        return _EXTENSIONS[self]

    @property
    def is_metadata(self) -> bool:
        """Whether the object counts as metadata (types 2 to 6)."""
        return ObjectType.DIRTREE <= self <= ObjectType.COMMITMETA


_EXTENSIONS = {
    ObjectType.FILE: "file",
    ObjectType.DIRTREE: "dirtree",
    ObjectType.DIRMETA: "dirmeta",
    ObjectType.COMMIT: "commit",
    ObjectType.TOMBSTONE_COMMIT: "tombstone-commit",
    ObjectType.COMMITMETA: "commitmeta",
    ObjectType.PAYLOAD_LINK: "payload-link",
    ObjectType.FILE_XATTRS: "file-xattrs",
    ObjectType.FILE_XATTRS_LINK: "file-xattrs-link",
}


class ObjectName(NamedTuple):
    """Checksum plus type; displayed as ``CHECKSUM.EXTENSION``."""

    checksum: Checksum
    type: ObjectType

    def __str__(self) -> str:
        return f"{self.checksum.hex()}.{_EXTENSIONS[self.type]}"


def is_checksum(text: str) -> bool:
    """Tell whether `text` is a checksum in its textual form."""
    return len(text) == CHECKSUM_HEX and _HEX_DIGITS.issuperset(text)


def parse_checksum(text: str) -> Checksum:
    """Return the checksum that 64 lowercase hex digits spell.

    Raises:
        InvalidNameError: wrong length or a character that is no lowercase hex digit.
    """
    raw = text.encode("utf-8", "surrogateescape")
    if len(raw) != CHECKSUM_HEX:
        shown = raw[:CHECKSUM_HEX].decode("utf-8", "replace").replace("\n", " ")
        raise InvalidNameError(f"Invalid rev {shown}")
    if not _HEX_DIGITS.issuperset(text):
        bad = next(byte for byte in raw if chr(byte) not in _HEX_DIGITS)
        raise InvalidNameError(f"Invalid character '{bad}' in rev '{text}'")
    return Checksum(bytes.fromhex(text))


def loose_path(checksum: Checksum, extension: str) -> str:
    """Return ``XX/REST.EXTENSION``, relative to ``objects/`` or a staging directory."""
    return f"{checksum.hex('/', CHECKSUM_BYTES - 1)}.{extension}"  # a slash after the first byte


def checksum_from_variant(raw: bytes) -> Checksum:
    """Return `raw` as a checksum.

    Raises:
        InvalidNameError: not 32 bytes, in the reference's words.
    """
    if len(raw) != CHECKSUM_BYTES:
        raise InvalidNameError(f"Invalid checksum of length {len(raw)} expected {CHECKSUM_BYTES}")
    return Checksum(raw)


def check_filename(name: str) -> None:
    """Raise `InvalidNameError` unless `name` may stand in a dirtree.

    An empty name is refused here although the reference lets it pass: as a path it would mean the
    directory itself.
    """
    if name == ".":
        raise InvalidNameError("Invalid self-referential filename '.'")
    if name == "..":
        raise InvalidNameError("Invalid path uplink filename '..'")
    if "/" in name:
        raise InvalidNameError(f"Invalid / in filename {name}")
    if not name or "\0" in name:
        raise InvalidNameError("Invalid empty filename" if not name else "Invalid NUL in filename")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidNameError(f"Invalid UTF-8 in filename {name}") from None
