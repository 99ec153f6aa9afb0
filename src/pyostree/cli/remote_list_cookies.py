"""``ostree remote list-cookies NAME``: list the cookies sent to a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import positional

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "NAME"
NEEDS = REPO
OPTIONS = (positional("name", missing="NAME must be specified"),)


class Args(NamedTuple):
    """Values of the options."""

    name: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Print a block per cookie."""
    from pyostree.errors import FormatError
    from pyostree.formats.commit_date import format_commit_date
    from pyostree.remote.cookies import read_cookies

    for cookie in read_cookies(repo, args.name):
        try:
            expires = format_commit_date(int(cookie.expiry))
        except (ValueError, FormatError):
            expires = cookie.expiry
        print("--", file=out)
        print(f"Domain: {cookie.domain}", file=out)
        print(f"Path: {cookie.path}", file=out)
        print(f"Name: {cookie.name}", file=out)
        print(f"Secure: {cookie.secure}", file=out)
        print(f"Expires: {expires}", file=out)
        print(f"Value: {cookie.value}", file=out)
