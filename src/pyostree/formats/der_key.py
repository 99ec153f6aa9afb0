"""Which algorithm a key in DER is for, without a look at the key itself.

Source: RFC 5280, section 4.1.2.7 (SubjectPublicKeyInfo); RFC 5958 (PKCS #8), RFC 8017, appendix
A.1.2, and RFC 5915 for secret keys; X.690 for DER.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from pyostree.errors import FormatError

_INTEGER, _BITS, _OCTETS, _OID, _SEQUENCE = 0x02, 0x03, 0x04, 0x06, 0x30
_LONG_LENGTH = 0x80
_MAX_LENGTH_BYTES = 4


class KeyAlgorithm(Enum):
    """The algorithms whose keys can sign; values are object identifiers as DER has them."""

    RSA = bytes.fromhex("2a864886f70d010101")
    EC = bytes.fromhex("2a8648ce3d0201")
    ED25519 = bytes.fromhex("2b6570")
    ED448 = bytes.fromhex("2b6571")


class _Element(NamedTuple):
    tag: int
    content: bytes
    rest: bytes


def public_key_algorithm(der: bytes) -> KeyAlgorithm:
    """Return what a SubjectPublicKeyInfo is for.

    Raises:
        FormatError: it is none, or for something else than signing.
    """
    return _identified(_first(_expect(_first(der), _SEQUENCE)))


def check_public_key_form(der: bytes) -> None:
    """Raise `FormatError` for what is no SubjectPublicKeyInfo of any kind of key, or not whole."""
    whole = _first(der)
    identifier = _first(_expect(whole, _SEQUENCE))
    _expect(_first(_expect(identifier, _SEQUENCE)), _OID)
    key = _first(identifier.rest)
    _expect(key, _BITS)
    if whole.rest or key.rest:
        raise FormatError("something follows a key in DER")


def secret_key_algorithm(der: bytes) -> KeyAlgorithm:
    """Return what a secret key is for, PKCS #8 or of an older form.

    Raises:
        FormatError: it is none, or for something else than signing.
    """
    version = _first(_expect(_first(der), _SEQUENCE))
    _expect(version, _INTEGER)
    second = _first(version.rest)
    match second.tag:
        case tag if tag == _SEQUENCE:
            return _identified(second)
        case tag if tag == _OCTETS:
            return KeyAlgorithm.EC
        case _:
            _expect(second, _INTEGER)
            return KeyAlgorithm.RSA


def _identified(identifier: _Element) -> KeyAlgorithm:
    oid = _expect(_first(_expect(identifier, _SEQUENCE)), _OID)
    try:
        return KeyAlgorithm(oid)
    except ValueError:
        raise FormatError("a key of a kind that does not sign") from None


def _expect(element: _Element, tag: int) -> bytes:
    if element.tag != tag:
        raise FormatError(f"DER element {element.tag:#x} in place of {tag:#x}")
    return element.content


def _first(data: bytes) -> _Element:
    """Return the element that `data` begins with."""
    if len(data) < 2:  # noqa: PLR2004  # a tag and a length
        raise FormatError("DER ends early")
    tag, length, start = data[0], data[1], 2
    if length & _LONG_LENGTH:
        count = length - _LONG_LENGTH
        if not 1 <= count <= _MAX_LENGTH_BYTES:
            raise FormatError("DER length out of range")
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    end = start + length
    if end > len(data):
        raise FormatError("DER ends early")
    return _Element(tag, data[start:end], data[end:])
