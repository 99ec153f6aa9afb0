"""The normal form of GVariants: the one serialization a value has."""

from __future__ import annotations

from pyostree.errors import FormatError
from pyostree.formats.gvariant.decode import ByteOrder, decode
from pyostree.formats.gvariant.encode import encode


def is_normal(type: str, data: bytes | memoryview, *, byteorder: ByteOrder = "little") -> bool:  # noqa: A002
    """Tell whether `data` is exactly what serializing its value gives.

    Raises:
        FormatError: `type` is not a type string.
    """
    data = bytes(data)
    try:
        value = decode(type, data, byteorder=byteorder)
    except FormatError:
        return False
    return encode(type, value, byteorder=byteorder) == data


def check_normal(type: str, data: bytes | memoryview) -> None:  # noqa: A002
    """Raise `FormatError` unless `data` is in normal form."""
    if not is_normal(type, data):
        raise FormatError("Not normal form")
