"""``ostree config``: read and change the configuration of a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import UsageError, positionals, text
from pyostree.errors import InvalidNameError, OstreeError

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "(get KEY|set KEY VALUE|unset KEY)"
NEEDS = REPO
OPTIONS = (
    text("group", metavar="NAME", help="Group of the key; the argument is then only the key"),
    positionals("words", missing="OPERATION must be specified"),
)
_SET_WORDS = 2


class Args(NamedTuple):
    group: str | None
    words: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Get, set or unset a key."""
    operation, *words = args.words
    if len(words) > (_SET_WORDS if operation == "set" else 1):
        raise UsageError("Too many arguments given")
    match operation:
        case "get":
            group, key = _target(args, words)
            out.write(f"{repo.config.keyfile.require_string(group, key)}\n")
        case "set":
            _set(args, words, repo)
        case "unset":
            _unset(_target(args, words), repo)
        case _:
            raise OstreeError(f"Unknown operation {operation}")


def _set(args: Args, words: list[str], repo: Repo) -> None:
    if len(words) < _SET_WORDS:
        prefix = "" if args.group is None else "GROUP name, "
        raise OstreeError(f"{prefix}KEY and VALUE must be specified")
    group, key = _target(args, words)
    keyfile = repo.config.keyfile.copy()
    keyfile.set_string(group, key, words[1])
    repo.write_config(keyfile)


def _unset(target: tuple[str, str], repo: Repo) -> None:
    keyfile = repo.config.keyfile.copy()
    if keyfile.remove_key(*target):
        repo.write_config(keyfile)


def _target(args: Args, words: list[str]) -> tuple[str, str]:
    """Return group and key."""
    if args.group is not None:
        if not words:
            raise OstreeError("Group name and key must be specified")
        return args.group, words[0]
    if not words:
        raise OstreeError("KEY must be specified")
    group, dot, key = words[0].partition(".")
    if not dot:
        raise InvalidNameError('Key must be of the form "sectionname.keyname"')
    return group, key
