"""Names of archive members, made relative to the root of a tree and rewritten on request."""

from __future__ import annotations

from pyostree.errors import FormatError, doing
from pyostree.formats.archive_member import show_path
from pyostree.formats.pcre import Substitution, parse_substitution

# Sixteen times what the kernel takes at once; every component costs memory.
_MAX_PATH_BYTES = 64 << 10


def relative_path(path: bytes, substitution: Substitution | None = None) -> str:
    """Return a path without leading slash, empty and ``.`` components; the root is empty.

    Args:
        substitution: applied to the relative path, while a directory still has its slash.

    Raises:
        FormatError: it is not UTF-8, far too long, or leads out of the root.
    """
    if len(path) > _MAX_PATH_BYTES:
        raise FormatError(f"Archive entry pathname is too long: {show_path(path[:100])}...")
    try:
        text = path.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"Archive entry pathname is not valid UTF-8: {show_path(path)}") from None
    if substitution is None and _is_tidy(text):
        return text
    rest = text
    while rest.startswith("/../"):  # as for the kernel, the root's parent is the root
        rest = rest[3:]
    while rest.startswith(("./", "/")):
        rest = rest.removeprefix(".").lstrip("/")
    if rest == ".":
        rest = ""
    tidy = _tidy(rest, text)
    if substitution is None:
        return tidy
    changed = substitution.apply(rest)
    return tidy if changed == rest else _tidy(changed, changed)


def _is_tidy(path: str) -> bool:
    return (
        path[:1] not in ("", "/", ".")
        and not path.endswith("/")
        and ("//" not in path and "/." not in path)
    )


def _tidy(path: str, shown: str) -> str:
    parts = [part for part in path.split("/") if part and part != "."]
    if ".." in parts:
        raise FormatError(
            f"While making relative path \"{shown}\":Invalid uplink '..' in path {path}"
        )
    return "/".join(parts)


def parse_pathname_filter(spec: str) -> Substitution:
    """Return the substitution for ``REGEX,REPLACEMENT``, split at the first comma.

    Raises:
        FormatError: no comma, or a malformed expression or replacement.
    """
    expression, comma, replacement = spec.partition(",")
    if not comma:
        raise FormatError("Missing ',' in --tar-pathname-filter")
    with doing("--tar-pathname-filter"):
        return parse_substitution(expression, replacement)
