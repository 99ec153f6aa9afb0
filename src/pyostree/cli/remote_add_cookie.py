"""``ostree remote add-cookie NAME DOMAIN PATH COOKIE_NAME VALUE``: send a cookie to a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import positional

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "NAME DOMAIN PATH COOKIE_NAME VALUE"
NEEDS = REPO
_MISSING = "NAME, DOMAIN, PATH, COOKIE_NAME and VALUE must be specified"
OPTIONS = tuple(
    positional(dest, missing=_MISSING) for dest in ("name", "domain", "path", "cookie", "value")
)


class Args(NamedTuple):
    """Values of the options."""

    name: str
    domain: str
    path: str
    cookie: str
    value: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Add the cookie."""
    from pyostree.remote.cookies import add_cookie, new_cookie

    cookie = new_cookie(args.domain, args.path, args.cookie, args.value)
    add_cookie(repo, args.name, cookie)
