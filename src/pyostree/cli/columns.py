"""How many columns of a terminal a text takes."""

from __future__ import annotations

from unicodedata import category, combining, east_asian_width

_INVISIBLE = ("Cf", "Me", "Mn")
_CONTROL = "Cc"


def display_width(text: str) -> int:
    """Return the columns that `text` takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def cut_to(text: str, columns: int) -> str:
    """Return the start of `text` that fits into `columns`."""
    if text.isascii():
        return text[: max(columns, 0)]
    for position, char in enumerate(text):
        columns -= _width(char)
        if columns < 0:
            return text[:position]
    return text


def without_controls(text: str) -> str:
    """Return `text` with a ``?`` for whatever would move the cursor; line feeds stay."""
    return "".join("?" if category(char) == _CONTROL and char != "\n" else char for char in text)


def _width(char: str) -> int:
    if combining(char) or category(char) in _INVISIBLE:
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
