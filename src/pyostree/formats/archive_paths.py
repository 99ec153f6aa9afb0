"""Names of archive members, made relative to the root of a tree and rewritten on request."""

from __future__ import annotations

import re
import warnings
from typing import NamedTuple

from pyostree.errors import FormatError, OstreeError
from pyostree.formats.archive_member import show_path

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}
_NAMED_GROUP = re.compile(r"g<(\w+)>")
_NUMBERED_GROUP = re.compile(r"\d{1,2}")
_HEX = re.compile(r"x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{1,2}))")


def relative_path(path: bytes) -> str:
    """Return a path without leading slash, empty and ``.`` components; the root is empty.

    Raises:
        FormatError: it is not UTF-8, or leads out of the root.
    """
    try:
        text = path.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"Archive entry pathname is not valid UTF-8: {show_path(path)}") from None
    rest = text
    while rest.startswith("/../"):  # as for the kernel, the root's parent is the root
        rest = rest[3:]
    return _join(rest, shown=text)


def _join(path: str, *, shown: str) -> str:
    parts = [part for part in path.split("/") if part and part != "."]
    if ".." in parts:
        raise FormatError(
            f"While making relative path \"{shown}\":Invalid uplink '..' in path {path}"
        )
    return "/".join(parts)


class PathnameFilter(NamedTuple):
    """A regular expression and what replaces all its matches in a relative path.

    Attributes:
        replacement: text, and groups by number or name.
    """

    pattern: re.Pattern[str]
    replacement: tuple[str | _Group, ...]

    def apply(self, path: str) -> str:
        """Return the path with every match replaced.

        Raises:
            FormatError: the result leads out of the root.
        """
        changed = self.pattern.sub(self._expand, path)
        return path if changed == path else _join(changed, shown=changed)

    def _expand(self, match: re.Match[str]) -> str:
        parts = (
            part if isinstance(part, str) else match[part.name] or "" for part in self.replacement
        )
        return "".join(parts)


class _Group(NamedTuple):
    name: int | str


def parse_pathname_filter(spec: str) -> PathnameFilter:
    r"""Return the filter for ``REGEX,REPLACEMENT``, split at the first comma.

    In the replacement ``\1`` and ``\g<NAME>`` stand for groups, ``\0`` for the whole match.

    Raises:
        FormatError: no comma, or a malformed expression or replacement.
    """
    expression, comma, replacement = spec.partition(",")
    if not comma:
        raise FormatError("Missing ',' in --tar-pathname-filter")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # [[:alpha:]] would not mean the class
            pattern = re.compile(expression)
    except (re.error, FutureWarning, OverflowError, RecursionError) as err:
        position = getattr(err, "pos", None) or 0
        reason = getattr(err, "msg", None) or str(err)
        raise OstreeError(
            f"--tar-pathname-filter: Error while compiling regular expression ‘{expression}’ "
            f"at char {position}: {reason}"
        ) from err
    return PathnameFilter(pattern, tuple(_parse_replacement(replacement, pattern)))


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
        group: int | str = int(name) if name.isdigit() else name
        return _known(group, pattern, text, start), found.end()
    if found := _NUMBERED_GROUP.match(text, start):
        return _known(int(found[0]), pattern, text, start), found.end()
    if (found := _HEX.match(text, start)) and (code := int(found[1] or found[2], 16)) < 0xD800:  # noqa: PLR2004
        return chr(code), found.end()
    letter = text[start : start + 1]
    if letter == "\\" or letter in _ESCAPES:
        return _ESCAPES.get(letter, letter), start + 1
    raise _bad_replacement(text, start, "unknown escape sequence")


def _known(group: int | str, pattern: re.Pattern[str], text: str, start: int) -> str | _Group:
    is_known = group in pattern.groupindex if isinstance(group, str) else group <= pattern.groups
    # A group that does not exist never matches.
    if isinstance(group, str) and not is_known:
        raise _bad_replacement(text, start, "unknown group")
    return _Group(group) if is_known else ""


def _bad_replacement(text: str, position: int, reason: str) -> FormatError:
    return FormatError(
        f"--tar-pathname-filter: Error while parsing replacement text “{text}” "
        f"at char {position}: {reason}"
    )
