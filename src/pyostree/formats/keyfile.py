"""`KeyFile`: text of ``[group]`` and ``key=value`` lines with the semantics of GLib's GKeyFile.

Repository configurations, remotes and origins are such files. What differs from `configparser`:
keys are case-sensitive, white space after a value belongs to the value, a repeated group continues
the first one, a repeated key overrides but stays in the file, there are no continuation lines.

Source: "Desktop Entry Specification", as GLib 2.74 implements it (compared in tests/interop).
"""

from __future__ import annotations

from typing import Self

from pyostree.errors import FormatError

LIST_SEPARATOR = ";"
_BLANKS = " \t\n\f\r"  # what GLib counts as ASCII space: no vertical tab
_UNESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_LOCALE_EXTRA = frozenset("-_.@")


class _Group:
    """Lines of one group; a repeated key keeps both lines, `last` says which one counts."""

    __slots__ = ("last", "lines")

    def __init__(self) -> None:
        self.lines: list[tuple[str, str] | None] = []
        self.last: dict[str, int] = {}

    def append(self, key: str, value: str) -> None:
        self.last[key] = len(self.lines)
        self.lines.append((key, value))

    def get(self, key: str) -> str | None:
        position = self.last.get(key)
        line = None if position is None else self.lines[position]
        return None if line is None else line[1]

    def copy(self) -> _Group:
        other = _Group()
        other.lines = list(self.lines)
        other.last = dict(self.last)
        return other


class KeyFile:
    """A key file in memory: read with `parse`, change it, write `format`. Comments are dropped."""

    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read a whole file.

        Bytes that are no UTF-8 survive (as surrogates) until a string is asked for.

        Raises:
            FormatError: a line is neither a group, a pair nor a comment, in GLib's words.
        """
        if isinstance(text, bytes):
            text = text.decode("utf-8", "surrogateescape")
        self = cls()
        current: _Group | None = None
        for raw_line in text.split("\n"):
            line = raw_line.removesuffix("\r")
            content = line.lstrip(_BLANKS)
            if "\0" in content:
                content = content[: content.index("\0")]  # GLib's strings end there
            if not content or content[0] == "#":
                continue
            if _is_group_line(content):
                name = content[1 : content.index("]")]
                _check_group_name(name)
                current = self._groups.setdefault(name, _Group())
            elif "=" in content and content[0] != "=":
                if current is None:
                    raise FormatError("Key file does not start with a group")
                self._parse_pair(content, current)
            else:
                raise FormatError(
                    f"Key file contains line “{_shown(line)}” which is not a key-value pair, "
                    "group, or comment"
                )
        return self

    def _parse_pair(self, content: str, group: _Group) -> None:
        key, _, value = content.partition("=")
        key = key.rstrip(_BLANKS)
        value = value.lstrip(_BLANKS)
        _check_key(key)
        is_first = group is next(iter(self._groups.values()))
        if is_first and key == "Encoding" and value.upper() != "UTF-8":
            raise FormatError(f"Key file contains unsupported encoding “{_shown(value)}”")
        if not _is_translation(key):
            group.append(key, value)

    # -- reading -------------------------------------------------------------------------

    def groups(self) -> tuple[str, ...]:
        """Return the names of all groups, in file order."""
        return tuple(self._groups)

    def has_group(self, group: str) -> bool:
        """Tell whether `group` exists."""
        return group in self._groups

    def keys(self, group: str) -> tuple[str, ...]:
        """Return the keys of `group`, in file order; none when the group is missing."""
        found = self._groups.get(group)
        if found is None:
            return ()
        return tuple(key for key, _ in sorted(found.last.items(), key=lambda item: item[1]))

    def has_key(self, group: str, key: str) -> bool:
        """Tell whether `key` exists in `group`."""
        return self.get_raw(group, key) is not None

    def get_raw(self, group: str, key: str) -> str | None:
        """Return the value as it stands in the file, or None when there is no such key."""
        found = self._groups.get(group)
        return None if found is None else found.get(key)

    def require_raw(self, group: str, key: str) -> str:
        """Return the value as it stands in the file.

        Raises:
            FormatError: no such group or key, in GLib's words.
        """
        if group not in self._groups:
            raise FormatError(f"Key file does not have group “{_shown(group)}”")
        value = self.get_raw(group, key)
        if value is None:
            raise FormatError(
                f"Key file does not have key “{_shown(key)}” in group “{_shown(group)}”"
            )
        return value

    def get_string(self, group: str, key: str) -> str | None:
        """Return the value without its escapes, or None when there is no such key.

        Raises:
            FormatError: a bad escape, or bytes that are no UTF-8.
        """
        value = self.get_raw(group, key)
        return None if value is None else _unescape(key, value)

    def require_string(self, group: str, key: str) -> str:
        """Return the value without its escapes; a missing one raises as `require_raw`."""
        return _unescape(key, self.require_raw(group, key))

    def get_boolean(self, group: str, key: str, default: bool) -> bool:
        """Return the value as true or false, or `default` when there is no such key.

        Raises:
            FormatError: the value is not one of true, 1, false, 0.
        """
        value = self.get_raw(group, key)
        if value is None:
            return default
        found = _BOOLEANS.get(value.rstrip(_BLANKS))
        if found is None:
            raise _not_interpretable(key)
        return found

    def get_list(self, group: str, key: str) -> tuple[str, ...] | None:
        """Return the items of a list, or None when there is no such key.

        Raises:
            FormatError: as `get_string`.
        """
        value = self.get_raw(group, key)
        return None if value is None else _split_list(key, value)

    # -- changing ------------------------------------------------------------------------

    def set_raw(self, group: str, key: str, value: str) -> None:
        """Set a value as it shall stand in the file; a new key or group goes to the end.

        Raises:
            FormatError: `group` or `key` cannot be written, or `value` has a line break.
        """
        if "\n" in value or "\0" in value:
            raise FormatError(f"Invalid value for key {key}")
        _check_group_name(group)
        _check_key(key)
        target = self._groups.setdefault(group, _Group())
        position = target.last.get(key)
        if position is None:
            target.append(key, value)
        else:
            target.lines[position] = (key, value)

    def set_string(self, group: str, key: str, value: str) -> None:
        """Set a value, escaping what a reader would otherwise misunderstand."""
        self.set_raw(group, key, _escape(value))

    def set_boolean(self, group: str, key: str, value: bool) -> None:
        """Set a value to ``true`` or ``false``."""
        self.set_raw(group, key, "true" if value else "false")

    def set_list(self, group: str, key: str, items: tuple[str, ...] | list[str]) -> None:
        """Set a list; each item is followed by a ``;``."""
        text = "".join(_escape(item, is_item=True) + LIST_SEPARATOR for item in items)
        self.set_raw(group, key, text)

    def remove_key(self, group: str, key: str) -> bool:
        """Remove the line of `key` that counts; return whether there was one."""
        found = self._groups.get(group)
        position = None if found is None else found.last.pop(key, None)
        if found is None or position is None:
            return False
        found.lines[position] = None
        return True

    def remove_group(self, group: str) -> bool:
        """Remove `group` with all its keys; return whether there was one."""
        return self._groups.pop(group, None) is not None

    def copy(self) -> KeyFile:
        """Return an independent copy."""
        other = KeyFile()
        other._groups = {name: group.copy() for name, group in self._groups.items()}
        return other

    # -- writing -------------------------------------------------------------------------

    def format(self) -> str:
        """Return the text as GLib rewrites it: no comments, one empty line between groups."""
        parts = []
        for name, group in self._groups.items():
            lines = "".join(f"{line[0]}={line[1]}\n" for line in group.lines if line is not None)
            parts.append(f"[{name}]\n{lines}")
        return "\n".join(parts)

    def encode(self) -> bytes:
        """Return `format` as the bytes of a file."""
        return self.format().encode("utf-8", "surrogateescape")


def _is_group_line(content: str) -> bool:
    if content[0] != "[":
        return False
    end = content.find("]")
    return end > 0 and not content[end + 1 :].strip(" \t")


def _check_group_name(name: str) -> None:
    bad = any(char in "[]" or char < " " or char == "\x7f" for char in name)
    if bad or not name:
        raise FormatError(f"Invalid group name: {_shown(name)}")


def _check_key(key: str) -> None:
    """Refuse keys that would read back differently; ``key[locale]`` is a translation."""
    stem, bracket, rest = key.partition("[")
    wrong = not stem or stem[0] == " " or stem[-1] == " " or any(char in stem for char in "]=\n\0")
    if bracket:
        locale, closing, more = rest.partition("]")
        bad_locale = not all(char.isalnum() or char in _LOCALE_EXTRA for char in locale)
        wrong = wrong or not closing or bool(more) or bad_locale
    if wrong:
        raise FormatError(f"Invalid key name: {_shown(key)}")


def _is_translation(key: str) -> bool:
    # Translations of a value are for desktop files; GLib drops them on loading.
    return key[-1] == "]" and not key.endswith("[]")


def _unescape(key: str, value: str) -> str:
    _check_utf8(key, value)
    if "\\" not in value:
        return value
    out = []
    chars = iter(value)
    for char in chars:
        if char != "\\":
            out.append(char)
            continue
        plain = _UNESCAPES.get(next(chars, ""))
        if plain is None:
            raise _not_interpretable(key)
        out.append(plain)
    return "".join(out)


def _split_list(key: str, value: str) -> tuple[str, ...]:
    _check_utf8(key, value)
    items: list[str] = []
    item: list[str] = []
    chars = iter(value)
    for char in chars:
        if char == LIST_SEPARATOR:
            items.append("".join(item))
            item = []
        elif char == "\\":
            escaped = next(chars, "")
            plain = LIST_SEPARATOR if escaped == LIST_SEPARATOR else _UNESCAPES.get(escaped)
            if plain is None:
                raise _not_interpretable(key)
            item.append(plain)
        else:
            item.append(char)
    if item:
        items.append("".join(item))
    return tuple(items)


def _escape(value: str, *, is_item: bool = False) -> str:
    out = []
    leading = True
    for char in value:
        if char == "\n":
            out.append("\\n")
        elif char == "\r":
            out.append("\\r")
        elif char == "\\":
            out.append("\\\\")
        elif leading and char == " ":
            out.append("\\s")
            continue
        elif leading and char == "\t":
            out.append("\\t")
            continue
        elif is_item and char == LIST_SEPARATOR:
            out.append("\\;")
            leading = True
            continue
        else:
            out.append(char)
        leading = False
    return "".join(out)


def _check_utf8(key: str, value: str) -> None:
    if value.isascii():
        return
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise FormatError(
            f"Key file contains key “{_shown(key)}” with value “{_shown(value)}” which is not UTF-8"
        ) from None


def _not_interpretable(key: str) -> FormatError:
    return FormatError(
        f"Key file contains key “{_shown(key)}” which has a value that cannot be interpreted."
    )


def _shown(text: str) -> str:
    """Return `text` fit for a message: bytes that are no UTF-8, or NUL, as U+FFFD."""
    sound = "".join("\ufffd" if _is_no_byte(char) else char for char in text)
    raw = sound.encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


def _is_no_byte(char: str) -> bool:
    """Tell whether `char` is one of the surrogates that stand for no undecodable byte."""
    return "\ud800" <= char < "\udc80" or "\udcff" < char <= "\udfff"
