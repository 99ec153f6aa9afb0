"""GVariant, the serialization of all OSTree metadata: bytes and text to values and back.

Source: the GVariant specification, https://people.gnome.org/~desrt/gvariant-serialisation.pdf,
and "GVariant Text Format" in the GLib reference manual.
"""

from pyostree.formats.gvariant.byteswap import byteswap
from pyostree.formats.gvariant.decode import ByteOrder, decode
from pyostree.formats.gvariant.encode import encode
from pyostree.formats.gvariant.normal import check_normal, is_normal
from pyostree.formats.gvariant.text import format_text, parse_text
from pyostree.formats.gvariant.types import (
    check_type_string,
    is_type_string,
    split_type,
)
from pyostree.formats.gvariant.variant import Just, Value, Variant, lookup

__all__ = [
    "ByteOrder",
    "Just",
    "Value",
    "Variant",
    "byteswap",
    "check_normal",
    "check_type_string",
    "decode",
    "encode",
    "format_text",
    "is_normal",
    "is_type_string",
    "lookup",
    "parse_text",
    "split_type",
]
