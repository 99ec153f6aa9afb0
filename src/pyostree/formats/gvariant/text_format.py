"""Printing values in the GVariant text format."""

from __future__ import annotations

import math

from pyostree.formats.gvariant.types import Type, parse_type
from pyostree.formats.gvariant.variant import Just, Value

_KEYWORDS = {  # int32, double, string and boolean are what plain literals mean
    "y": "byte ", "n": "int16 ", "q": "uint16 ", "u": "uint32 ", "h": "handle ", "x": "int64 ",
    "t": "uint64 ", "o": "objectpath ", "g": "signature ",
}  # fmt: skip
_STRING_ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"
}  # fmt: skip
_UNPRINTABLE_CATEGORIES = ("Cc", "Cf", "Cn", "Cs")

# In bytestrings '"' is escaped whatever the quotes are, and \a has no letter.
_BYTE_ESCAPES = {
    **{byte: f"\\{byte:03o}" for byte in (*range(0x20), *range(0x7F, 0x100))},
    8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 0x22: '\\"', 0x5C: "\\\\",
}  # fmt: skip


def format_value(parsed: Type, value: Value, annotate: bool) -> str:
    """Return the text of one value; see `text.format_text`."""
    match parsed.kind:
        case "a":
            return _format_array(parsed, value, annotate)
        case "(":
            inner = ", ".join(_format_members(parsed, value, annotate))
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case "{":
            return "{" + ", ".join(_format_members(parsed, value, annotate)) + "}"
        case "v":
            return f"<{format_value(parse_type(value.type), value.value, True)}>"
        case "m":
            return (f"@{parsed} " if annotate else "") + _format_maybe(parsed, value)
        case kind:
            keyword = _KEYWORDS.get(kind, "") if annotate else ""
            return keyword + _format_basic(kind, value)


def _format_members(parsed: Type, value: Value, annotate: bool) -> list[str]:
    pairs = zip(parsed.members, value, strict=True)
    return [format_value(member, item, annotate) for member, item in pairs]


def _format_basic(kind: str, value: Value) -> str:
    match kind:
        case "b":
            return "true" if value else "false"
        case "y":
            return f"0x{value:02x}"
        case "d":
            return _format_double(value)
        case "s":
            return _format_string(value)
        case "o" | "g":
            return f"'{value}'"
        case _:
            return str(value)


def _format_double(value: float) -> str:
    if math.isnan(value):
        return "-nan" if math.copysign(1, value) < 0 else "nan"
    text = f"{value:.17g}"
    return text if any(sign in text for sign in ".en") else f"{text}.0"


def _format_string(value: str) -> str:
    quote = '"' if "'" in value else "'"
    if value.isascii() and value.isprintable():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"' if quote == '"' else '"')
    else:
        escaped = "".join([_escape_character(character, quote) for character in value])
    return f"{quote}{escaped}{quote}"


def _escape_character(character: str, quote: str) -> str:
    if character in (quote, "\\"):
        return "\\" + character
    if character.isprintable():
        return character
    if (letter := _STRING_ESCAPES.get(character)) is not None:
        return letter
    import unicodedata  # rarely needed, and loading it costs start-up time

    # Python counts spaces and private characters as unprintable, GLib does not.
    if unicodedata.category(character) not in _UNPRINTABLE_CATEGORIES:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def _format_maybe(parsed: Type, value: Value) -> str:
    # "just" is printed only where a plain "nothing" would mean the outer maybe.
    depth = 0
    while parsed.kind == "m" and isinstance(value, Just):
        parsed, value, depth = parsed.members[0], value.value, depth + 1
    if parsed.kind == "m":
        return "just " * depth + "nothing"
    return format_value(parsed, value, annotate=False)


def _format_array(parsed: Type, value: Value, annotate: bool) -> str:
    element = parsed.members[0]
    if element.kind == "y" and value.find(0) == len(value) - 1 >= 0:
        return _format_bytestring(value[:-1])
    opening, closing = "{}" if element.kind == "{" else "[]"
    if not value:
        return (f"@{parsed} " if annotate else "") + opening + closing
    if element.kind == "y":
        first = _KEYWORDS["y"] if annotate else ""
        return f"[{first}0x{value.hex(':').replace(':', ', 0x')}]"
    items = [
        _format_element(element, item, annotate and index == 0) for index, item in enumerate(value)
    ]
    return opening + ", ".join(items) + closing


def _format_element(element: Type, item: Value, annotate: bool) -> str:
    if element.kind == "{":
        return ": ".join(_format_members(element, item, annotate))
    return format_value(element, item, annotate)


def _format_bytestring(content: bytes) -> str:
    quote = '"' if b"'" in content else "'"
    escaped = content.decode("latin-1").translate(_BYTE_ESCAPES)
    return f"b{quote}{escaped}{quote}"
