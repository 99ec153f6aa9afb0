"""Cutting GVariant text into tokens."""

from __future__ import annotations

from typing import Final

from pyostree.errors import FormatError

_SPACES = b" \t\n\f\r"
_DIGITS = b"0123456789"
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBER_STARTS = _DIGITS + b"-+."
_NUMBER_PARTS = _NUMBER_STARTS + _LETTERS
_TYPE_ENDS = b",:>]" + _SPACES


class TextError(FormatError):
    """Text does not follow the GVariant text format; the message starts with where."""


def text_error(
    where: tuple[int, int], reason: str, other: tuple[int, int] | None = None
) -> TextError:
    """Return the error for a span of bytes, or for two spans that contradict each other."""
    start, end = where
    place = str(start) if start == end else f"{start}-{end}"
    if other is not None:
        place += f",{other[0]}-{other[1]}"
    return TextError(f"{place}:{reason}")


class TokenStream:
    """Tokens of one text, with one token of look-ahead; positions count bytes of UTF-8.

    Attributes:
        token: the token at hand, empty at the end of the text.
        start: where `token` starts.
        end: where `token` ends.
        last_end: where the token before ended.
    """

    def __init__(self, text: bytes) -> None:
        self._text: Final = text
        self.last_end = 0
        self._advance(0)

    def _advance(self, position: int) -> None:
        text = self._text
        while position < len(text) and text[position] in _SPACES:
            position += 1
        self.start = position
        self.end = _token_end(text, position) if position < len(text) else position
        self.token = text[self.start : self.end]

    def next(self) -> None:
        """Go on to the following token."""
        self.last_end = self.end
        self._advance(self.end)

    def consume(self, token: bytes) -> bool:
        """Go on if the token at hand is `token`, and tell whether it was."""
        if self.token != token:
            return False
        self.next()
        return True

    def require(self, token: bytes, purpose: str) -> None:
        """Go on past `token`, which has to be here."""
        if not self.consume(token):
            raise text_error((self.start, self.start), f"expected '{token.decode()}'{purpose}")

    def error(self, reason: str) -> TextError:
        """Return the error that blames the whole token at hand."""
        return text_error((self.start, self.end), reason)

    def is_keyword(self) -> bool:
        """Tell whether the token at hand starts with two letters."""
        return len(self.token) > 1 and self.token[0] in _LETTERS and self.token[1] in _LETTERS

    def is_number(self) -> bool:
        """Tell whether the token at hand is meant to be a number."""
        return self.token in (b"inf", b"nan") or (
            self.token != b"" and self.token[0] in _NUMBER_STARTS
        )


def _token_end(text: bytes, start: int) -> int:
    first = text[start]
    if first in _NUMBER_STARTS:
        return _run_end(text, start, _NUMBER_PARTS)
    if first in b"'\"":
        return _quoted_end(text, start)
    if first == ord("b") and text[start + 1 : start + 2] in (b"'", b'"'):
        return _quoted_end(text, start + 1)
    if first in b"abcdefghijklmnopqrstuvwxyz":
        return _run_end(text, start, _LETTERS + _DIGITS)
    if first in b"@%":
        return _type_end(text, start + 1)
    return start + 1


def _run_end(text: bytes, position: int, accepted: bytes) -> int:
    while position < len(text) and text[position] in accepted:
        position += 1
    return position


def _quoted_end(text: bytes, start: int) -> int:
    position = start + 1
    while position < len(text):
        if text[position] == text[start]:
            return position + 1
        position += 2 if text[position] == ord("\\") else 1
    return len(text)


def _type_end(text: bytes, position: int) -> int:
    # A bracket that opened before the '@' belongs to the text around: "(@i 1, @s)".
    open_brackets = 0
    while position < len(text) and text[position] not in _TYPE_ENDS:
        if text[position] in b"({":
            open_brackets += 1
        elif text[position] in b")}":
            if open_brackets == 0:
                break
            open_brackets -= 1
        position += 1
    return position
