"""GVariant type strings: parsing them into trees that know alignment and size."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pyostree.errors import FormatError

MAX_DEPTH = 128  # containers in each other, variants included; the limit GLib has
MAX_TYPE_LENGTH = 65535  # far above any use; a tree takes a hundred times the memory of its text
BASIC_KINDS = "bynqiuxthdsog"

STRUCT_CODES = {  # what `struct` calls the number types; a handle is an index, so an int32
    "y": "B", "n": "h", "q": "H", "i": "i", "u": "I", "h": "i", "x": "q", "t": "Q", "d": "d"
}  # fmt: skip
OFFSET_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
# Caches keep no longer type strings: those come from attackers only.
CACHED_TYPE_LENGTH = 255

_FIXED_SIZES = {"y": 1, "b": 1, "n": 2, "q": 2, "i": 4, "u": 4, "h": 4, "x": 8, "t": 8, "d": 8}
_VARIABLE_ALIGNMENTS = {"s": 1, "o": 1, "g": 1, "v": 8}


class Type(NamedTuple):
    """One definite GVariant type.

    Attributes:
        kind: the type character; ``(`` for a tuple, ``{`` for a dict entry.
        members: members of a tuple or dict entry; the element of an array or maybe.
        alignment: 1, 2, 4 or 8.
        fixed_size: bytes each value takes; None when that depends on the value.
        depth: how many containers are in each other, 0 for a basic type.
    """

    kind: str
    members: tuple[Type, ...]
    alignment: int
    fixed_size: int | None
    depth: int

    def __str__(self) -> str:
        inner = "".join(map(str, self.members))
        closing = {"(": ")", "{": "}"}.get(self.kind, "")
        return f"{self.kind}{inner}{closing}"


_BASIC_TYPES = {
    **{kind: Type(kind, (), size, size, 0) for kind, size in _FIXED_SIZES.items()},
    **{kind: Type(kind, (), align, None, 0) for kind, align in _VARIABLE_ALIGNMENTS.items()},
}


def parse_type(text: str) -> Type:
    """Return the tree of one complete type.

    Raises:
        FormatError: not exactly one definite type, or nested more than 128 deep.
    """
    if len(text) <= CACHED_TYPE_LENGTH:
        return _parse_short_type(text)
    if len(text) > MAX_TYPE_LENGTH:
        raise FormatError(f"GVariant type string has {len(text)} characters")
    return _parse_whole(text)


def check_type_string(text: str) -> None:
    """Raise `FormatError` unless `text` is one complete definite type."""
    parse_type(text)


def is_type_string(text: str) -> bool:
    """Tell whether `text` is one complete definite type."""
    try:
        parse_type(text)
    except FormatError:
        return False
    return True


def split_type(text: str) -> tuple[str, ...]:
    """Return the types right inside: members of a tuple, the element of an array, or nothing."""
    return tuple(map(str, parse_type(text).members))


def is_signature(text: str) -> bool:
    """Tell whether `text` is zero or more complete definite types, as a ``g`` value must be."""
    try:
        position = 0
        while position < len(text):
            _, position = _parse_at(text, position, MAX_DEPTH)
    except FormatError:
        return False
    return True


def is_object_path(text: str) -> bool:
    """Tell whether `text` is a D-Bus object path, as an ``o`` value must be."""
    if text == "/":
        return True
    if not text.startswith("/"):
        return False
    return all(
        part and part.isascii() and part.replace("_", "0").isalnum() for part in text[1:].split("/")
    )


@lru_cache(maxsize=256)
def _parse_short_type(text: str) -> Type:
    return _parse_whole(text)


def _parse_whole(text: str) -> Type:
    parsed, end = _parse_at(text, 0, MAX_DEPTH)
    if end != len(text):
        raise FormatError(f"invalid GVariant type string {_shown(text)}")
    return parsed


def _parse_at(text: str, start: int, depth_left: int) -> tuple[Type, int]:
    kind = text[start : start + 1]
    if (basic := _BASIC_TYPES.get(kind)) is not None:
        return basic, start + 1
    if depth_left == 0:
        raise FormatError("GVariant type string is nested too deeply")
    if kind and kind in "am":
        element, end = _parse_at(text, start + 1, depth_left - 1)
        return Type(kind, (element,), element.alignment, None, element.depth + 1), end
    if kind == "(":
        return _parse_tuple(text, start + 1, depth_left - 1)
    if kind == "{":
        return _parse_dict_entry(text, start + 1, depth_left - 1)
    raise FormatError(f"invalid GVariant type string {_shown(text)}")


def _parse_tuple(text: str, position: int, depth_left: int) -> tuple[Type, int]:
    members = []
    while not text.startswith(")", position):
        member, position = _parse_at(text, position, depth_left)
        members.append(member)
    return _container("(", tuple(members)), position + 1


def _parse_dict_entry(text: str, position: int, depth_left: int) -> tuple[Type, int]:
    if text[position : position + 1] not in tuple(BASIC_KINDS):
        raise FormatError(f"invalid GVariant type string {_shown(text)}")
    key, position = _parse_at(text, position, depth_left)
    value, position = _parse_at(text, position, depth_left)
    if not text.startswith("}", position):
        raise FormatError(f"invalid GVariant type string {_shown(text)}")
    return _container("{", (key, value)), position + 1


def _container(kind: str, members: tuple[Type, ...]) -> Type:
    alignment = max((member.alignment for member in members), default=1)
    depth = 1 + max((member.depth for member in members), default=0)
    return Type(kind, members, alignment, _container_size(members, alignment), depth)


def _container_size(members: tuple[Type, ...], alignment: int) -> int | None:
    size = 0
    for member in members:
        if member.fixed_size is None:
            return None
        size = align_up(size, member.alignment) + member.fixed_size
    return align_up(size, alignment) or 1  # the empty tuple is one zero byte


def align_up(position: int, alignment: int) -> int:
    """Return the first multiple of `alignment` (a power of two) that is not below `position`."""
    return (position + alignment - 1) & -alignment


def offset_width(container_size: int) -> int:
    """Return how many bytes a framing offset has in a container of this total size."""
    if container_size <= 0xFF:  # noqa: PLR2004
        return 1
    if container_size <= 0xFFFF:  # noqa: PLR2004
        return 2
    return 4 if container_size <= 0xFFFFFFFF else 8  # noqa: PLR2004


def _shown(text: str) -> str:
    return repr(text if len(text) <= CACHED_TYPE_LENGTH else text[:CACHED_TYPE_LENGTH] + "...")
