"""Perl's regular expressions and GLib's replacement texts, in terms of Python's `re`."""

from __future__ import annotations

import re
import warnings
from typing import NamedTuple

from pyostree.errors import FormatError

# What may stand in an expression, as far as it must be told apart.
_TOKENS = re.compile(
    r"""(?P<escape>\\.)
      | (?P<posix>\[:(?P<negated>\^?)(?P<name>[a-z]+):\])
      | (?P<group>\(\?<(?![=!]))
      | (?P<open>\[\^?\]?)
      | (?P<close>\])
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_POSIX_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t-\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_ESCAPES = {r"\h": r"[ \t]", r"\H": r"[^ \t]", r"\z": r"\Z", r"\R": r"(?:\r\n|[\n-\r])"}
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}
_NAMED_GROUP = re.compile(r"g<(\w+)>")
_NUMBERED_GROUP = re.compile(r"\d{1,2}")
_HEX = re.compile(r"x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{1,2}))")
_FIRST_SURROGATE = 0xD800


class Substitution(NamedTuple):
    """An expression, and what takes the place of each of its matches: text, and groups."""

    pattern: re.Pattern[str]
    replacement: tuple[str | _Group, ...]

    def apply(self, text: str) -> str:
        """Return `text` with every match replaced."""
        return self.pattern.sub(self._expand, text)

    def _expand(self, match: re.Match[str]) -> str:
        parts = (
            part if isinstance(part, str) else match[part.name] or "" for part in self.replacement
        )
        return "".join(parts)


class _Group(NamedTuple):
    name: int | str


def parse_substitution(expression: str, replacement: str) -> Substitution:
    r"""Return the substitution; ``\1``, ``\g<NAME>`` and ``\0`` stand for groups and the match.

    Raises:
        FormatError: either text is malformed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pattern = re.compile(_translate(expression), re.ASCII)
    except (re.error, Warning, OverflowError, RecursionError) as err:
        position = getattr(err, "pos", None) or 0
        reason = getattr(err, "msg", None) or str(err)
        raise FormatError(
            f"Error while compiling regular expression ‘{expression}’ at char {position}: {reason}"
        ) from err
    return Substitution(pattern, tuple(_parse_replacement(replacement, pattern)))


def _translate(expression: str) -> str:
    parts = []
    is_in_class = False
    for token in _TOKENS.finditer(expression):
        text = token[0]
        if token["escape"]:
            text = text if is_in_class else _ESCAPES.get(text, text)
        elif token["posix"] and is_in_class:
            text = _posix_class(token["name"], is_negated=bool(token["negated"]))
        elif is_in_class:
            is_in_class = not token["close"]
            text = text.replace("[", r"\[")
        elif token["group"]:
            text = "(?P<"
        else:
            is_in_class = bool(token["open"])
        parts.append(text)
    return "".join(parts)


def _posix_class(name: str, *, is_negated: bool) -> str:
    if is_negated or name not in _POSIX_CLASSES:
        raise re.error(f"unsupported POSIX class {name}")
    return _POSIX_CLASSES[name]


def _parse_replacement(text: str, pattern: re.Pattern[str]) -> list[str | _Group]:
    parts: list[str | _Group] = []
    position = 0
    while position < len(text):
        backslash = text.find("\\", position)
        if backslash < 0:
            parts.append(text[position:])
            break
        parts.append(text[position:backslash])
        part, position = _parse_escape(text, backslash + 1, pattern)
        parts.append(part)
    return parts


def _parse_escape(text: str, start: int, pattern: re.Pattern[str]) -> tuple[str | _Group, int]:
    if found := _NAMED_GROUP.match(text, start):
        name = found[1]
        if name.isdigit():
            return _numbered(int(name), pattern), found.end()
        if name not in pattern.groupindex:
            raise _bad_replacement(text, start, "unknown group")
        return _Group(name), found.end()
    if found := _NUMBERED_GROUP.match(text, start):
        return _numbered(int(found[0]), pattern), found.end()
    if (found := _HEX.match(text, start)) and (
        code := int(found[1] or found[2], 16)
    ) < _FIRST_SURROGATE:
        return chr(code), found.end()
    letter = text[start : start + 1]
    if letter == "\\" or letter in _LETTERS:
        return _LETTERS.get(letter, letter), start + 1
    raise _bad_replacement(text, start, "unknown escape sequence")


def _numbered(group: int, pattern: re.Pattern[str]) -> str | _Group:
    return _Group(group) if group <= pattern.groups else ""  # what is not there never matches


def _bad_replacement(text: str, position: int, reason: str) -> FormatError:
    return FormatError(
        f"Error while parsing replacement text “{text}” at char {position}: {reason}"
    )
