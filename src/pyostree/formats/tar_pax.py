"""Extended headers of tar archives (pax): records ``LENGTH KEY=VALUE`` that override a header.

Extended attributes come in three spellings: ``SCHILY.xattr.NAME`` with the value as it is (GNU tar,
star), ``LIBARCHIVE.xattr.NAME`` with the name URL-encoded and the value in base64 (bsdtar), and
``RHT.security.selinux`` (old Red Hat tar). Source: POSIX.1-2017 "pax", libarchive's ``tar(5)``.
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from pyostree.formats.archive_member import ArchiveError
from pyostree.formats.xattrs import Xattrs

Records = list[tuple[bytes, bytes]]

_RAW_XATTR = b"SCHILY.xattr."
_ENCODED_XATTR = b"LIBARCHIVE.xattr."
_SELINUX_XATTR = b"RHT.security.selinux"
_MAX_LENGTH_DIGITS = 10
_MAX_RECORD_BYTES = 999_999


def decode_pax(data: bytes) -> Records:
    """Return the records in the order of the header.

    Raises:
        ArchiveError: a record is malformed, or too long.
    """
    records = []
    position = 0
    while position < len(data):
        blank = data.find(b" ", position, position + _MAX_LENGTH_DIGITS + 1)
        digits = data[position:blank] if blank > 0 else b""
        if not digits.isdigit():
            raise ArchiveError("Ignoring malformed pax extended attributes")
        length = int(digits)
        if length > _MAX_RECORD_BYTES:
            raise ArchiveError("Rejecting pax extended attribute > 1MB")
        end = position + length
        if end > len(data) or end <= blank or data[end - 1 : end] != b"\n":
            raise ArchiveError("Ignoring malformed pax extended attribute")
        key, equals, value = data[blank + 1 : end - 1].partition(b"=")
        if not equals or not key:
            raise ArchiveError("Invalid pax extended attributes")
        records.append((key, value))
        position = end
    return records


def decode_pax_number(value: bytes) -> int:
    """Return a decimal number.

    Raises:
        ArchiveError: it is none.
    """
    digits = value.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 20:  # noqa: PLR2004  # more than 64 bits have
        raise ArchiveError("Damaged tar archive")
    return -int(digits) if len(digits) < len(value) else int(digits)


def pax_xattrs(records: Records) -> Xattrs:
    """Return the extended attributes among `records`, sorted; of equal names the last one counts.

    Raises:
        ArchiveError: a name or value is malformed.
    """
    found: dict[bytes, bytes] = {}
    for key, value in records:
        if key.startswith(_RAW_XATTR):
            found[key.removeprefix(_RAW_XATTR)] = value
        elif key.startswith(_ENCODED_XATTR):
            found[unquote_to_bytes(key.removeprefix(_ENCODED_XATTR))] = _decode_base64(value)
        elif key == _SELINUX_XATTR:
            found[b"security.selinux"] = value
    if any(not name or b"\0" in name for name in found):
        raise ArchiveError("Invalid xattr name (empty or missing NUL)")
    return tuple(sorted(found.items()))


def _decode_base64(value: bytes) -> bytes:
    text = value.rstrip(b"=\n")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        raise ArchiveError("Damaged tar archive") from None
