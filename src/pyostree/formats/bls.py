"""Boot Loader Specification entries: the ``*.conf`` files that describe what can be booted.

Source: "Type #1" of the Boot Loader Specification; boot counters stand in the file's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cmp_to_key
from typing import NamedTuple

_FIRST_KEYS = ("title", "version", "options", "devicetree", "linux", "initrd")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SEPARATOR = re.compile(r"[ \t]")
_COUNTERS = re.compile(r"([0-9]+)(?:-([0-9]*))?")
_DIGITS = frozenset("0123456789")


class BootEntry(NamedTuple):
    """One boot entry.

    Attributes:
        fields: keys with their values in the order met; each key once.
        overlay_initrds: the values of all ``initrd`` lines but the first.
        file_name: the name it was read from; None for one that never was in a file.
        tries_left: how often the boot loader may still try it.
        tries_done: how often it was tried.
    """

    fields: tuple[tuple[str, str], ...] = ()
    overlay_initrds: tuple[str, ...] = ()
    file_name: str | None = None
    tries_left: int = 0
    tries_done: int = 0

    def get(self, key: str) -> str | None:
        """Return the value of `key`."""
        return next((value for name, value in self.fields if name == key), None)

    def set(self, key: str, value: str) -> BootEntry:
        """Return the entry with `value` for `key`."""
        fields = dict(self.fields)
        fields[key] = value
        return self._replace(fields=tuple(fields.items()))

    def clone(self) -> BootEntry:
        """Return a copy that counts as known to boot: its counters are zero."""
        return self._replace(tries_left=0, tries_done=0)


def parse_entry(data: bytes, file_name: str | None = None) -> BootEntry:
    """Return the entry a file holds; comments and lines without a value are lost."""
    fields: dict[str, str] = {}
    overlays = []
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        if line[:1] not in _LETTERS:
            continue
        key, *rest = _SEPARATOR.split(line, maxsplit=1)
        if not rest:
            continue
        if key == "initrd" and key in fields:
            overlays.append(rest[0])
        else:
            fields[key] = rest[0]
    left, done = parse_counters(file_name or "")
    return BootEntry(
        tuple(fields.items()),
        overlay_initrds=tuple(overlays),
        file_name=file_name,
        tries_left=left,
        tries_done=done,
    )


def format_entry(entry: BootEntry) -> bytes:
    """Return the file of an entry; keys that the specification does not order keep theirs."""
    fields = dict(entry.fields)
    lines = [(key, fields.pop(key)) for key in _FIRST_KEYS if key in fields]
    if lines and lines[-1][0] == "initrd":
        lines += [("initrd", path) for path in entry.overlay_initrds]
    lines += fields.items()
    text = "".join(f"{key} {value}\n" for key, value in lines)
    return text.encode("utf-8", "surrogateescape")


def parse_counters(file_name: str) -> tuple[int, int]:
    """Return how many tries are left and done, from the text behind the last ``+`` of a name.

    Without counters, or when what should be one is no number, both are 0.
    """
    _, plus, text = file_name.rpartition("+")
    found = _COUNTERS.match(text) if plus else None
    if found is None or found[2] == "":
        return 0, 0
    return int(found[1]), int(found[2] or 0)


def entry_file_name(stem: str, entry: BootEntry, boot_counting_tries: int) -> str:
    """Return the file name for an entry, with counters when boots are counted."""
    if boot_counting_tries and entry.file_name is None:
        return f"{stem}+{boot_counting_tries}.conf"
    if boot_counting_tries and (entry.tries_left or entry.tries_done):
        return f"{stem}+{entry.tries_left}-{entry.tries_done}.conf"
    return f"{stem}.conf"


def sort_entries(entries: Iterable[BootEntry]) -> list[BootEntry]:
    """Return the entries as a menu shows them: the highest version first, those without last."""
    with_version, without = [], []
    for entry in entries:
        version = entry.get("version")
        if version is None:
            without.append(entry)
        else:
            with_version.append((version, entry))
    with_version.sort(key=lambda pair: _VERSION_KEY(pair[0]), reverse=True)
    return [entry for _, entry in with_version] + without


def compare_versions(one: str, other: str) -> int:
    """Return a negative, zero or positive number, ordering as the C library's ``strverscmp``.

    Runs of digits compare as numbers, unless one starts with a zero: then it is read as a fraction.
    """
    common = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if common is None:
        common = min(len(one), len(other))
        if len(one) == len(other):
            return 0
    start = common  # of the run of digits that the first difference stands in or ends
    while start and one[start - 1] in _DIGITS:
        start -= 1
    digits = _count_digits(one, common), _count_digits(other, common)
    shared = one[start:common]
    is_fraction = "0" in (one[start : start + 1], other[start : start + 1])
    if not is_fraction and digits[0] != digits[1] and (shared or all(digits)):
        return digits[0] - digits[1]
    if shared and not shared.strip("0") and bool(digits[0]) != bool(digits[1]):
        return -1 if digits[0] else 1  # 000 < 00 < 01 < 010 < 09 < 0 < 1
    return _code(one, common) - _code(other, common)


def _count_digits(text: str, at: int) -> int:
    end = at
    while end < len(text) and text[end] in _DIGITS:
        end += 1
    return end - at


def _code(text: str, at: int) -> int:
    return ord(text[at]) if at < len(text) else 0


_VERSION_KEY = cmp_to_key(compare_versions)
