"""Literals of the GVariant text format, before and after their types are known."""

from __future__ import annotations

from pyostree.formats.gvariant.text_numbers import (
    INTEGER_RANGES,
    is_double_literal,
    parse_double,
    parse_integer,
)
from pyostree.formats.gvariant.text_patterns import merge_patterns, resolve_pattern
from pyostree.formats.gvariant.text_tokens import TextError, text_error
from pyostree.formats.gvariant.types import (
    BASIC_KINDS,
    Type,
    is_object_path,
    is_signature,
    parse_type,
)
from pyostree.formats.gvariant.variant import Just, Value, Variant


class Literal:
    """One literal of the text.

    Attributes:
        span: the bytes it takes, for error messages; set when it has been read whole.
    """

    span = (0, 0)

    def pattern(self) -> str:
        """Return what is known of the type; see `text_patterns`."""
        raise NotImplementedError

    def value(self, wanted: Type) -> Value:
        """Return the value as `wanted`, or raise `TextError`."""
        if wanted.kind == "m":
            return Just(self.value(wanted.members[0]))
        return self.plain_value(wanted)

    def plain_value(self, wanted: Type) -> Value:
        """Return the value as `wanted`, which is no maybe."""
        raise NotImplementedError

    def resolve(self) -> Variant:
        """Return the value with the type that it has on its own."""
        type_text = resolve_pattern(self.pattern())
        if type_text is None:
            raise text_error(self.span, "unable to infer type")
        return Variant(type_text, self.value(parse_type(type_text)))

    def type_error(self, wanted: Type) -> TextError:
        """Return the error for a literal that cannot be `wanted`."""
        return text_error(self.span, f"can not parse as value of type '{wanted}'")


def _common_pattern(literals: list[Literal]) -> str:
    common = literals[0].pattern()
    for index, literal in enumerate(literals[1:], start=1):
        pattern = literal.pattern()
        merged = merge_patterns(common, pattern)
        if merged is None:
            raise _conflict(literals[:index], literal, pattern)
        common = merged
    return common


def _conflict(before: list[Literal], literal: Literal, pattern: str) -> TextError:
    reason = "unable to find a common type"
    for other in before:
        if merge_patterns(pattern, other.pattern()) is None:
            return text_error(other.span, reason, literal.span)
    return text_error(literal.span, reason)


class BooleanLiteral(Literal):
    """``true`` or ``false``."""

    def __init__(self, value: bool) -> None:
        self._value = value

    def pattern(self) -> str:
        return "Mb"

    def plain_value(self, wanted: Type) -> Value:
        if wanted.kind != "b":
            raise self.type_error(wanted)
        return self._value


class NumberLiteral(Literal):
    """``5``, ``-0x1f``, ``1.5``, ``inf``."""

    def __init__(self, token: str) -> None:
        self._token = token

    def pattern(self) -> str:
        return "Md" if is_double_literal(self._token) else "MN"

    def plain_value(self, wanted: Type) -> Value:
        if wanted.kind == "d":
            return parse_double(self._token, self.span)
        number = parse_integer(self._token, self.span)
        if wanted.kind not in INTEGER_RANGES:
            raise self.type_error(wanted)
        lowest, highest = INTEGER_RANGES[wanted.kind]
        if not lowest <= number <= highest:
            raise text_error(self.span, f"number out of range for type '{wanted.kind}'")
        return number


class StringLiteral(Literal):
    """``'text'``."""

    def __init__(self, text: str) -> None:
        self._text = text

    def pattern(self) -> str:
        return "MS"

    def plain_value(self, wanted: Type) -> Value:
        if wanted.kind == "o" and not is_object_path(self._text):
            raise text_error(self.span, "not a valid object path")
        if wanted.kind == "g" and not is_signature(self._text):
            raise text_error(self.span, "not a valid signature")
        if wanted.kind not in ("s", "o", "g"):
            raise self.type_error(wanted)
        return self._text


class BytestringLiteral(Literal):
    """``b'text'``."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def pattern(self) -> str:
        return "May"

    def plain_value(self, wanted: Type) -> Value:
        if wanted.kind != "a" or wanted.members[0].kind != "y":
            raise self.type_error(wanted)
        return self._content


class MaybeLiteral(Literal):
    """``nothing`` or ``just VALUE``."""

    def __init__(self, child: Literal | None) -> None:
        self._child = child

    def pattern(self) -> str:
        return "m*" if self._child is None else "m" + self._child.pattern()

    def value(self, wanted: Type) -> Value:
        if wanted.kind != "m":
            raise self.type_error(wanted)
        return None if self._child is None else Just(self._child.value(wanted.members[0]))


class TypedLiteral(Literal):
    """``@TYPE VALUE`` or ``KEYWORD VALUE``."""

    def __init__(self, type_text: str, child: Literal) -> None:
        self._type_text = type_text
        self._child = child

    def pattern(self) -> str:
        return self._type_text

    def value(self, wanted: Type) -> Value:
        # `wanted` wins where it contradicts the declaration, as in ``{1: 2, 3: uint32 4}``.
        return self._child.value(wanted)


class VariantLiteral(Literal):
    """``<VALUE>``."""

    def __init__(self, child: Literal) -> None:
        self._child = child

    def pattern(self) -> str:
        return "Mv"

    def plain_value(self, wanted: Type) -> Value:
        if wanted.kind != "v":
            raise self.type_error(wanted)
        return self._child.resolve()


class ArrayLiteral(Literal):
    """``[VALUE, VALUE]``."""

    def __init__(self, children: list[Literal]) -> None:
        self._children = children

    def pattern(self) -> str:
        return "Ma" + (_common_pattern(self._children) if self._children else "*")

    def plain_value(self, wanted: Type) -> Value:
        if wanted.kind != "a":
            raise self.type_error(wanted)
        element = wanted.members[0]
        values = tuple([child.value(element) for child in self._children])
        return bytes(values) if element.kind == "y" else values


class TupleLiteral(Literal):
    """``(VALUE, VALUE)``."""

    def __init__(self, children: list[Literal]) -> None:
        self._children = children

    def pattern(self) -> str:
        return "M(" + "".join([child.pattern() for child in self._children]) + ")"

    def plain_value(self, wanted: Type) -> Value:
        if wanted.kind != "(":
            raise self.type_error(wanted)
        # A wrong member is GLib's first error, a wrong number of members the second.
        pairs = zip(self._children, wanted.members, strict=False)
        values = tuple([child.value(member) for child, member in pairs])
        if len(wanted.members) != len(self._children):
            raise self.type_error(wanted)
        return values


def _key_pattern(keys: list[Literal], span: tuple[int, int]) -> str:
    kind = _common_pattern(keys).removeprefix("M")[:1]
    if kind not in tuple(BASIC_KINDS + "NS"):
        raise text_error(span, "dictionary keys must have basic types")
    return kind


class DictLiteral(Literal):
    """``{KEY: VALUE, KEY: VALUE}``."""

    def __init__(self, keys: list[Literal], values: list[Literal]) -> None:
        self._keys = keys
        self._values = values

    def pattern(self) -> str:
        if not self._keys:
            return "Ma{**}"
        # GLib looks at the first value alone.
        return f"Ma{{{_key_pattern(self._keys, self.span)}{self._values[0].pattern()}}}"

    def plain_value(self, wanted: Type) -> Value:
        if wanted.kind != "a" or wanted.members[0].kind != "{":
            raise self.type_error(wanted)
        key_type, value_type = wanted.members[0].members
        pairs = zip(self._keys, self._values, strict=True)
        return tuple([(key.value(key_type), value.value(value_type)) for key, value in pairs])


class DictEntryLiteral(Literal):
    """``{KEY, VALUE}``."""

    def __init__(self, key: Literal, value: Literal) -> None:
        self._key = key
        self._value = value

    def pattern(self) -> str:
        return f"M{{{_key_pattern([self._key], self.span)}{self._value.pattern()}}}"

    def plain_value(self, wanted: Type) -> Value:
        if wanted.kind != "{":
            raise self.type_error(wanted)
        return (self._key.value(wanted.members[0]), self._value.value(wanted.members[1]))
