"""Quoted strings of the GVariant text format."""

from __future__ import annotations

from pyostree.formats.gvariant.text_tokens import TextError, TokenStream, text_error

_LETTERS = {
    ord("a"): b"\a", ord("b"): b"\b", ord("f"): b"\f", ord("n"): b"\n", ord("r"): b"\r",
    ord("t"): b"\t", ord("v"): b"\v", ord("\n"): b"",  # a line goes on after backslash-newline
}  # fmt: skip
_UNICODE_LENGTHS = {ord("u"): 4, ord("U"): 8}
_HEX_DIGITS = b"0123456789abcdefABCDEF"
_OCTAL_DIGITS = b"01234567"
_BACKSLASH = ord("\\")


def parse_string(stream: TokenStream) -> str:
    """Return the text of the quoted token at hand, and go on."""
    token = stream.token
    content = bytearray()
    position = 1
    while (character := _byte_at(stream, position)) != token[0]:
        if character != _BACKSLASH:
            content.append(character)
            position += 1
            continue
        escape = _byte_at(stream, position + 1)
        if (length := _UNICODE_LENGTHS.get(escape)) is not None:
            content += _unescape_unicode(stream, position + 2, length)
            position += 2 + length
        else:
            content += _LETTERS.get(escape, bytes([escape]))
            position += 2
    stream.next()
    return content.decode()


def parse_bytestring(stream: TokenStream) -> bytes:
    """Return the bytes of the ``b''`` token at hand with a NUL behind, and go on."""
    token = stream.token
    content = bytearray()
    position = 2
    while (character := _byte_at(stream, position)) != token[1]:
        if character != _BACKSLASH:
            content.append(character)
            position += 1
            continue
        escape = _byte_at(stream, position + 1)
        if escape in _OCTAL_DIGITS:
            end = position + 2
            while end < position + 4 and token[end] in _OCTAL_DIGITS:
                end += 1
            content.append(int(token[position + 1 : end], 8) & 0xFF)
            position = end
        else:
            content += _LETTERS.get(escape, bytes([escape]))
            position += 2
    stream.next()
    # GLib keeps it as a C string: an escaped NUL is the end.
    return bytes(content).partition(b"\0")[0] + b"\0"


def _byte_at(stream: TokenStream, position: int) -> int:
    if position >= len(stream.token):
        raise stream.error("unterminated string constant")
    return stream.token[position]


def _unescape_unicode(stream: TokenStream, position: int, length: int) -> bytes:
    digits = stream.token[position : position + length]
    valid = length - len(digits.ljust(length, b" ").lstrip(_HEX_DIGITS))
    if valid < length:
        raise _unicode_error(stream, position, valid, length)
    try:
        character = chr(int(digits, 16)).encode()
    except (ValueError, OverflowError):  # a surrogate, or above U+10FFFF
        raise _unicode_error(stream, position, length, length) from None
    if character == b"\0":
        raise _unicode_error(stream, position, length, length)
    return character


def _unicode_error(stream: TokenStream, position: int, valid: int, length: int) -> TextError:
    start = stream.start + position
    return text_error((start, start + valid), f"invalid {length}-character unicode escape")
