"""Number literals of the GVariant text format, read like C's ``strtoull`` and ``strtod`` do."""

from __future__ import annotations

import math

from pyostree.formats.gvariant.text_tokens import text_error

INTEGER_RANGES = {
    "y": (0, 0xFF),
    "n": (-0x8000, 0x7FFF),
    "q": (0, 0xFFFF),
    "i": (-0x80000000, 0x7FFFFFFF),
    "u": (0, 0xFFFFFFFF),
    "h": (-0x80000000, 0x7FFFFFFF),
    "x": (-0x8000000000000000, 0x7FFFFFFFFFFFFFFF),
    "t": (0, 0xFFFFFFFFFFFFFFFF),
}
_UINT64_MAX = 0xFFFFFFFFFFFFFFFF
_MAX_DIGITS = len(str(_UINT64_MAX))  # Python refuses to read very long decimal numbers
_INTEGER = r"(?P<sign>[+-]?)(?P<digits>0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)"
_DOUBLE = (
    r"[+-]?(?:0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?[0-9]+)?"
    r"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
    r"|(?i:infinity|inf|nan))"
)


def is_double_literal(token: str) -> bool:
    """Tell whether a number without a type is a double."""
    has_exponent = "e" in token and not token.startswith("0x")
    return "." in token or has_exponent or "inf" in token or "nan" in token


def parse_double(token: str, where: tuple[int, int]) -> float:
    """Return a literal as double; `where` it stands is for the error message."""
    import re  # loading it costs start-up time, and few commands parse text

    match = re.match(_DOUBLE, token)
    number = match[0] if match else ""
    if _overflows(number):
        raise text_error(where, "number too big for any type")
    _check_whole(token, len(number), where)
    return _to_float(number)


def _overflows(number: str) -> bool:
    return "inf" not in number.lower() and math.isinf(_to_float(number or "0"))


def _to_float(number: str) -> float:
    try:
        return float.fromhex(number) if "0x" in number.lower() else float(number)
    except OverflowError:  # of hexadecimal numbers; decimal ones become inf
        return math.inf


def parse_integer(token: str, where: tuple[int, int]) -> int:
    """Return a literal as integer; `where` it stands is for the error message."""
    import re

    is_negative = token.startswith("-")
    match = re.compile(_INTEGER).match(token, int(is_negative))
    magnitude = _magnitude(match["sign"], match["digits"]) if match else 0
    if magnitude > _UINT64_MAX:
        raise text_error(where, "integer too big for any type")
    _check_whole(token, match.end() if match else int(is_negative), where)
    return -magnitude if is_negative else magnitude


def _magnitude(sign: str, digits: str) -> int:
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
    if len(digits) > _MAX_DIGITS and not digits.startswith("0"):
        return _UINT64_MAX + 1
    magnitude = int(digits, base)
    if sign == "-" and magnitude <= _UINT64_MAX:
        # The literal's own sign is off already: strtoull wraps on a second one, "--5".
        return -magnitude & _UINT64_MAX
    return magnitude


def _check_whole(token: str, end: int, where: tuple[int, int]) -> None:
    if end < len(token):
        position = where[0] + end
        raise text_error((position, position + 1), "invalid character in number")
