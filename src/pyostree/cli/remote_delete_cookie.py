"""``ostree remote delete-cookie NAME DOMAIN PATH COOKIE_NAME``: stop sending a cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import positional

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "NAME DOMAIN PATH COOKIE_NAME"
NEEDS = REPO
_MISSING = "NAME, DOMAIN, PATH and COOKIE_NAME must be specified"
OPTIONS = tuple(positional(dest, missing=_MISSING) for dest in ("name", "domain", "path", "cookie"))


class Args(NamedTuple):
    """Values of the options."""

    name: str
    domain: str
    path: str
    cookie: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Delete the cookie."""
    from pyostree.remote.cookies import delete_cookie

    delete_cookie(repo, args.name, domain=args.domain, path=args.path, name=args.cookie)
