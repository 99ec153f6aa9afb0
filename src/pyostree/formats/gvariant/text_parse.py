"""Parsing the GVariant text format."""

from __future__ import annotations

from collections.abc import Callable

from pyostree.errors import FormatError
from pyostree.formats.gvariant import text_ast as ast
from pyostree.formats.gvariant.text_strings import parse_bytestring, parse_string
from pyostree.formats.gvariant.text_tokens import TokenStream, text_error
from pyostree.formats.gvariant.types import MAX_DEPTH, parse_type
from pyostree.formats.gvariant.variant import Variant

_KEYWORDS = {
    b"boolean": "b", b"byte": "y", b"int16": "n", b"uint16": "q", b"int32": "i", b"uint32": "u",
    b"handle": "h", b"int64": "x", b"uint64": "t", b"double": "d", b"string": "s",
    b"objectpath": "o", b"signature": "g",
}  # fmt: skip
_INDEFINITE = "*?r"


def parse_whole(text: str) -> Variant:
    """Return the value of a whole text; see `text.parse_text`."""
    try:
        encoded = text.partition("\0")[0].encode()
    except UnicodeEncodeError as err:
        raise text_error((err.start, err.end), "not valid UTF-8") from err
    stream = TokenStream(encoded)
    variant = _parse(stream, MAX_DEPTH).resolve()
    if stream.token:
        raise text_error((stream.start, stream.start), "expected end of input")
    return variant


def _parse(stream: TokenStream, depth_left: int) -> ast.Literal:
    if depth_left == 0:
        raise text_error((stream.start, stream.start), "variant nested too deeply")
    start = stream.start
    literal = _parse_bracketed(stream, depth_left) or _parse_word(stream, depth_left)
    literal.span = (start, stream.last_end)
    return literal


def _parse_bracketed(stream: TokenStream, depth_left: int) -> ast.Literal | None:
    parse = _BRACKETS.get(stream.token)
    if parse is None:
        return None
    stream.next()
    return parse(stream, depth_left - 1)


def _parse_word(stream: TokenStream, depth_left: int) -> ast.Literal:
    token = stream.token
    if token in (b"true", b"false"):
        stream.next()
        return ast.BooleanLiteral(token == b"true")
    if stream.is_number():
        stream.next()
        return ast.NumberLiteral(token.decode())
    if token.startswith((b"n", b"j")):
        return _parse_maybe(stream, depth_left)
    if token.startswith(b"@"):
        return _parse_type_declaration(stream, depth_left)
    if stream.is_keyword():
        if token not in _KEYWORDS:
            raise stream.error("unknown keyword")
        stream.next()
        return ast.TypedLiteral(_KEYWORDS[token], _parse(stream, depth_left - 1))
    if token.startswith((b"'", b'"')):
        return ast.StringLiteral(parse_string(stream))
    if token.startswith((b"b'", b'b"')):
        return ast.BytestringLiteral(parse_bytestring(stream))
    raise text_error((stream.start, stream.start), "expected value")


def _parse_maybe(stream: TokenStream, depth_left: int) -> ast.Literal:
    if stream.consume(b"just"):
        return ast.MaybeLiteral(_parse(stream, depth_left - 1))
    if stream.consume(b"nothing"):
        return ast.MaybeLiteral(None)
    raise stream.error("unknown keyword")


def _parse_type_declaration(stream: TokenStream, depth_left: int) -> ast.Literal:
    type_text = stream.token[1:].decode("latin-1")
    is_definite = not any(kind in type_text for kind in _INDEFINITE)
    try:
        # An indefinite type is a valid one once each gap is filled.
        parsed = parse_type(type_text if is_definite else _fill_gaps(type_text))
    except FormatError as err:
        raise stream.error("invalid type declaration") from err
    if parsed.depth >= depth_left:
        raise stream.error("type declaration recurses too deeply")
    if not is_definite:
        raise stream.error("type declarations must be definite")
    stream.next()
    return ast.TypedLiteral(type_text, _parse(stream, depth_left - 1))


def _fill_gaps(type_text: str) -> str:
    return type_text.replace("r", "()").replace("*", "()").replace("?", "i")


def _parse_array(stream: TokenStream, depth_left: int) -> ast.Literal:
    children: list[ast.Literal] = []
    while not stream.consume(b"]"):
        if children:
            stream.require(b",", " or ']' to follow array element")
        children.append(_parse(stream, depth_left))
    return ast.ArrayLiteral(children)


def _parse_tuple(stream: TokenStream, depth_left: int) -> ast.Literal:
    children: list[ast.Literal] = []
    while not stream.consume(b")"):
        if len(children) > 1:
            stream.require(b",", " or ')' to follow tuple element")
        children.append(_parse(stream, depth_left))
        if len(children) == 1:  # "(1,)" has a comma so that parentheses alone mean nothing
            stream.require(b",", " after first tuple element")
    return ast.TupleLiteral(children)


def _parse_variant(stream: TokenStream, depth_left: int) -> ast.Literal:
    child = _parse(stream, depth_left)
    stream.require(b">", " to follow variant value")
    return ast.VariantLiteral(child)


def _parse_dict(stream: TokenStream, depth_left: int) -> ast.Literal:
    if stream.consume(b"}"):
        return ast.DictLiteral([], [])
    keys = [_parse(stream, depth_left)]
    if stream.consume(b","):
        value = _parse(stream, depth_left)
        stream.require(b"}", " at end of dictionary entry")
        return ast.DictEntryLiteral(keys[0], value)
    stream.require(b":", " or ',' to follow dictionary entry key")
    values = [_parse(stream, depth_left)]
    while not stream.consume(b"}"):
        stream.require(b",", " or '}' to follow dictionary entry")
        keys.append(_parse(stream, depth_left))
        stream.require(b":", " to follow dictionary entry key")
        values.append(_parse(stream, depth_left))
    return ast.DictLiteral(keys, values)


_BRACKETS: dict[bytes, Callable[[TokenStream, int], ast.Literal]] = {
    b"[": _parse_array,
    b"(": _parse_tuple,
    b"<": _parse_variant,
    b"{": _parse_dict,
}
