"""Kernel arguments: an ordered list of ``key`` and ``key=value`` entries; boot entries hold it.

Only the space separates arguments, ``"`` quotes spaces anywhere in one, and the quotes stay part of
it; there are no escapes. A key may stand in the list several times.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pyostree.errors import FormatError, NotFoundError

# What the boot loader adds on its own account; importing it would freeze it.
_OF_THE_BOOT_LOADER = ("BOOT_IMAGE=", "initrd=")
_OSTREE_KEY = "ostree"


class KernelArg(NamedTuple):
    """One argument; `value` is None without ``=``, which is not the same as an empty value."""

    key: str
    value: str | None

    def __str__(self) -> str:
        return self.key if self.value is None else f"{self.key}={self.value}"


class KernelArgs(NamedTuple):
    """An immutable list of arguments; each operation returns a new list."""

    entries: tuple[KernelArg, ...] = ()

    @classmethod
    def parse(cls, text: str) -> KernelArgs:
        """Return the arguments of an options string."""
        return cls(tuple(_parse_arg(token) for token in split_args(text)))

    def format(self) -> str:
        """Return the arguments joined by single spaces."""
        return " ".join(map(str, self.entries))

    def last_value(self, key: str) -> str | None:
        """Return the value of the last entry of that key."""
        return next((arg.value for arg in reversed(self.entries) if arg.key == key), None)

    def without_key(self, key: str) -> KernelArgs:
        """Return the list without any entry of that key."""
        return KernelArgs(tuple(arg for arg in self.entries if arg.key != key))

    def append(self, text: str) -> KernelArgs:
        """Add each argument in `text` at the end, also where its key exists."""
        return KernelArgs((*self.entries, *KernelArgs.parse(text).entries))

    def append_if_missing(self, text: str) -> KernelArgs:
        """Add the arguments in `text` unless the first one's key exists."""
        key = _parse_arg(text).key
        return self if any(arg.key == key for arg in self.entries) else self.append(text)

    def replace(self, text: str) -> KernelArgs:
        """Let the one argument `text`, which is not split, stand for all entries of its key.

        It takes the place of the first of them, or the end.
        """
        new = _parse_arg(text)
        entries: list[KernelArg] = []
        placed = False
        for arg in self.entries:
            if arg.key != new.key:
                entries.append(arg)
            elif not placed:
                entries.append(new)
                placed = True
        return KernelArgs(tuple(entries if placed else [*entries, new]))

    def delete(self, text: str) -> KernelArgs:
        """Remove each argument in `text`.

        A key alone removes its only entry; among several entries the value decides.

        Raises:
            NotFoundError: there is no such entry, or the key alone does not say which.
        """
        result = self
        for token in split_args(text):
            result = result._delete_one(_parse_arg(token), text)
        return result

    def delete_if_present(self, text: str) -> KernelArgs:
        """Remove like `delete`, but do nothing when no entry has the first argument's key."""
        key = _parse_arg(text).key
        return self.delete(text) if any(arg.key == key for arg in self.entries) else self

    def _delete_one(self, wanted: KernelArg, text: str) -> KernelArgs:
        places = [place for place, arg in enumerate(self.entries) if arg.key == wanted.key]
        if not places:
            raise NotFoundError(f"No key '{wanted.key}' found")
        if len(places) == 1:
            found = self.entries[places[0]]
            if wanted.value is not None and wanted != found:
                raise NotFoundError(f"No karg '{wanted}' found")
            return self._without_place(places[0])
        for place in places:
            if self.entries[place] == wanted:
                return self._without_place(place)
        if wanted.value is None:
            raise NotFoundError(f"Multiple values for key '{text}' found")
        raise NotFoundError(f"No karg '{text}' found")

    def _without_place(self, place: int) -> KernelArgs:
        return KernelArgs(self.entries[:place] + self.entries[place + 1 :])

    def with_ostree(self, link: str) -> KernelArgs:
        """Set the argument by which a booting system finds its deployment.

        Raises:
            FormatError: a quote in another argument would hide it, as readers of the options that
                split at every space do see what stands in quotes, and quoting readers do not see
                what follows an unbalanced quote. The system would not boot.
        """
        result = self.replace(f"{_OSTREE_KEY}={link}")
        text = result.format()
        quoting = [token for token in split_args(text) if token.startswith("ostree=")]
        if find_ostree_arg(text) != link or quoting != [f"{_OSTREE_KEY}={link}"]:
            raise FormatError(f"quotes in the kernel arguments '{self.format()}' hide ostree=")
        return result


def split_args(text: str) -> list[str]:
    """Return the arguments in `text`: split at spaces outside double quotes, none empty."""
    pieces = text.split('"')
    # Even pieces lie outside of quotes: only their spaces separate.
    tokens = [""]
    for number, piece in enumerate(pieces):
        if number:
            tokens[-1] += '"'
        if number % 2:
            tokens[-1] += piece
        else:
            first, *others = piece.split(" ")
            tokens[-1] += first
            tokens.extend(others)
    return [token for token in tokens if token]


def import_cmdline(text: str) -> KernelArgs:
    """Return the arguments of a running kernel's command line, without those of its boot loader."""
    tokens = split_args(text.rstrip())
    kept = (token for token in tokens if not token.startswith(_OF_THE_BOOT_LOADER))
    return KernelArgs(tuple(map(_parse_arg, kept)))


def find_ostree_arg(options: str) -> str | None:
    """Return the value of the first ``ostree=`` in an options string, ignoring quotes."""
    prefix = f"{_OSTREE_KEY}="
    return next(
        (part.removeprefix(prefix) for part in options.split(" ") if part.startswith(prefix)), None
    )


def same_without_ostree(one: str, other: str) -> bool:
    """Tell whether two options strings differ at most in the value of ``ostree``."""
    return _masked(one) == _masked(other)


def _masked(options: str) -> Iterable[KernelArg]:
    return [
        KernelArg(arg.key, None) if arg.key == _OSTREE_KEY else arg
        for arg in KernelArgs.parse(options).entries
    ]


def _parse_arg(token: str) -> KernelArg:
    key, equals, value = token.partition("=")
    return KernelArg(key, value if equals else None)
