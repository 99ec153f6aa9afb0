"""`Sites`: the repositories of one server, and which of them a path of a URL belongs to."""

from __future__ import annotations

import re
from typing import NamedTuple

from pyostree.closing import Closing
from pyostree.errors import ConflictError, InvalidNameError
from pyostree.serve.answer import BAD_REQUEST, NOT_ALLOWED, NOT_FOUND, TOO_LONG, Answer
from pyostree.serve.conditions import Headers
from pyostree.serve.numbers import number_places
from pyostree.serve.paths import MAX_PATH_CHARS, RESERVED_NAMES, is_malformed, parse_target
from pyostree.serve.served_repo import ServedRepo

_METHODS = ("GET", "HEAD")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")


class Place(NamedTuple):
    """A repository and where it is served.

    Attributes:
        name: first component of the URL's path; empty: the repository is at the top.
        path: of the repository.
    """

    name: str
    path: str


def parse_place(text: str) -> Place:
    """Return what an argument ``[NAME=]REPO`` says; a ``=`` after a ``/`` belongs to the path.

    Raises:
        InvalidNameError: the name cannot stand in a URL, or is one of a repository's own.
    """
    name, equals, path = text.partition("=")
    if not equals or "/" in name:
        return Place("", text)
    if not _NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise InvalidNameError(f"Invalid name of a served repository: {name or text}")
    return Place(name, path)


class Sites(Closing):
    """All repositories of a server, open."""

    def __init__(self, places: tuple[Place, ...], *, numbered: bool = False) -> None:
        """Open them.

        Args:
            numbered: serve each below its number, too, where peers of the local network look.

        Raises:
            ConflictError: two have the same name.
            OSError, OstreeError: one of them cannot be served.
        """
        self.places = places
        self._by_name: dict[str, ServedRepo] = {}
        try:
            for place in places:
                if place.name in self._by_name:
                    shown = f"the name {place.name}" if place.name else "the top of the server"
                    raise ConflictError(f"Two repositories for {shown}")
                self._by_name[place.name] = ServedRepo(place.path)
        except BaseException:
            self.close()
            raise
        self._top = self._by_name.get("")
        if numbered:
            for place, number in zip(
                places, number_places([place.name for place in places]), strict=True
            ):
                self._by_name.setdefault(str(number), self._by_name[place.name])

    def close(self) -> None:
        """Close the repositories."""
        for repo in self._by_name.values():
            repo.close()

    def repo(self, place: Place) -> ServedRepo:
        """Return the repository at a place."""
        return self._by_name[place.name]

    def answer(self, method: str, path: str, headers: Headers) -> Answer:
        """Return the answer to one request.

        Args:
            path: of the URL, escapes decoded.
        """
        if method not in _METHODS:
            return NOT_ALLOWED
        if len(path) > MAX_PATH_CHARS:
            return TOO_LONG
        inside = path[1:] if path.startswith("/") else ""
        repo = self._top
        target = parse_target(inside) if repo is not None else None
        if target is None:
            name, _, rest = inside.partition("/")
            repo = self._by_name.get(name) if name else None
            target = parse_target(rest) if repo is not None else None
        if repo is None or target is None:
            return BAD_REQUEST if is_malformed(path) else NOT_FOUND
        return repo.answer(target, headers)
