"""OpenPGP packets, as far as one must know them to tell a detached signature from other messages.

Source: RFC 4880, sections 4.2 (packet headers), 5.9 (literal data) and 6.2 (ASCII armor).
"""

from __future__ import annotations

import binascii

from pyostree.errors import FormatError

_SIGNATURE = 2
_LITERAL_HEADER = b"\xcb\xff"  # new format, kind 11; its length follows in four octets
_BINARY_UNNAMED_UNDATED = b"b\0" + bytes(4)
_ARMOR_BEGIN = b"-----BEGIN PGP SIGNATURE-----"
_ARMOR_END = b"-----END PGP SIGNATURE-----"
_CHECKSUM_MARK = b"="

_IS_PACKET = 0x80
_IS_NEW_FORMAT = 0x40
_ONE_OCTET_BELOW = 192
_TWO_OCTETS_BELOW = 224
_FIVE_OCTETS = 255


def dearmor(data: bytes) -> bytes:
    """Return the packets of an ASCII-armored signature; other data as it is.

    Raises:
        FormatError: armor without end, or not in base64.
    """
    if not data.lstrip().startswith(_ARMOR_BEGIN):
        return data
    lines = [line.strip() for line in data.strip().split(b"\n")]
    if lines[-1] != _ARMOR_END or b"" not in lines:
        raise FormatError("malformed armor")
    body = lines[lines.index(b"") + 1 : -1]  # headers end with an empty line
    text = b"".join(line for line in body if not line.startswith(_CHECKSUM_MARK))
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as err:
        raise FormatError(f"malformed armor: {err}") from None


def count_signatures(data: bytes) -> int:
    """Return how many signature packets `data` is made of.

    Anything else in it is refused: a message that brings its own content along could otherwise
    verify, with a good signature, something that nobody asked about.

    Raises:
        FormatError: a packet of another kind, or a broken one.
    """
    position = count = 0
    while position < len(data):
        header = data[position]
        if not header & _IS_PACKET:
            raise FormatError("not an OpenPGP packet")
        if header & _IS_NEW_FORMAT:
            tag = header & 0x3F
            size, position = _new_length(data, position + 1)
        else:
            tag = header >> 2 & 0x0F
            size, position = _old_length(data, position + 1, header & 3)
        if tag != _SIGNATURE:
            raise FormatError(f"an OpenPGP packet of kind {tag} is not a signature")
        position += size
        count += 1
    if position != len(data):
        raise FormatError("truncated OpenPGP packet")
    return count


def encode_literal(data: bytes) -> bytes:
    """Return a packet with content: after signatures, it is what they sign."""
    size = len(_BINARY_UNNAMED_UNDATED) + len(data)
    return _LITERAL_HEADER + size.to_bytes(4, "big") + _BINARY_UNNAMED_UNDATED + data


def _new_length(data: bytes, position: int) -> tuple[int, int]:
    """Return a packet's length and the position of its body."""
    first = _read(data, position, 1)
    if first < _ONE_OCTET_BELOW:
        return first, position + 1
    if first < _TWO_OCTETS_BELOW:
        second = _read(data, position + 1, 1)
        return (first - _ONE_OCTET_BELOW << 8) + second + _ONE_OCTET_BELOW, position + 2
    if first == _FIVE_OCTETS:
        return _read(data, position + 1, 4), position + 5
    raise FormatError("a signature packet has no partial lengths")


def _old_length(data: bytes, position: int, kind: int) -> tuple[int, int]:
    if kind == 3:  # noqa: PLR2004 - lengths are 1 << kind octets, 3 stands for "unknown"
        raise FormatError("a signature packet has a definite length")
    width = 1 << kind
    return _read(data, position, width), position + width


def _read(data: bytes, position: int, width: int) -> int:
    field = data[position : position + width]
    if len(field) != width:
        raise FormatError("truncated OpenPGP packet")
    return int.from_bytes(field, "big")
