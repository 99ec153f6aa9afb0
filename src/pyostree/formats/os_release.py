"""``os-release``: shell-like assignments that name an operating system.

Source: os-release(5); values are unquoted as a shell would, lines that cannot be are skipped.
"""

from __future__ import annotations

# Inside double quotes a backslash is literal unless one of these follows.
_ESCAPED_IN_QUOTES = frozenset('$`"\\\n')


def parse_os_release(data: bytes) -> dict[str, str]:
    """Return the assignments; the last one of a key counts."""
    values = {}
    for line in data.decode("utf-8", "replace").split("\n"):
        key, equals, quoted = line.partition("=")
        if line.startswith("#") or not equals:
            continue
        value = unquote_shell(quoted)
        if value is not None:
            values[key] = value
    return values


def unquote_shell(text: str) -> str | None:
    """Return `text` without its shell quotes, or None when a quote is not closed."""
    parts = []
    rest = text
    while rest:
        first, rest = rest[0], rest[1:]
        if first == "\\":
            parts.append(rest[:1])
            rest = rest[1:]
        elif first == "'":
            inner, quote, rest = rest.partition("'")
            if not quote:
                return None
            parts.append(inner)
        elif first == '"':
            found = _read_double_quoted(rest)
            if found is None:
                return None
            inner, rest = found
            parts.append(inner)
        else:
            parts.append(first)
    return "".join(parts)


def _read_double_quoted(text: str) -> tuple[str, str] | None:
    """Return what stands before the closing quote, and what behind it."""
    parts = []
    at = 0
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and text[at + 1 : at + 2] in _ESCAPED_IN_QUOTES:
            at += 1
        parts.append(text[at])
        at += 1
    return ("".join(parts), text[at + 1 :]) if at < len(text) else None
