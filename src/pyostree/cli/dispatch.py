"""Find the command that the arguments name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyostree.cli.registry import Command, Group


class Invocation(NamedTuple):
    """A command line, split.

    Attributes:
        path: names of the groups and the command, as far as they are known.
        group: the innermost group.
        command: None when there is no such command; `problem` then says so.
        arguments: everything else, in the order given.
        wants_help: help for the group was asked for before a command's name came.
    """

    path: tuple[str, ...]
    group: Group
    command: Command | None
    arguments: list[str]
    problem: str = ""
    wants_help: bool = False


def find_command(arguments: Sequence[str], top: Group) -> Invocation:
    """Take the command's name, through its groups, out of `arguments` (no program name)."""
    group, path, rest = top, (), list(arguments)  # type: Group, tuple[str, ...], list[str]
    while True:
        if path and not group.is_handmade and "--" in rest:
            rest = rest[: rest.index("--")]  # the reference's groups drop it, and all that follows
        index = next((i for i, word in enumerate(rest) if not word.startswith("-")), None)
        if group.is_handmade and any(word in ("-h", "--help") for word in rest[:index]):
            return Invocation(path, group, None, rest, wants_help=True)
        if index is None:
            return Invocation(path, group, None, rest, _missing(group, path))
        name = rest.pop(index)
        entry = group.find(name)
        if entry is None:
            return Invocation(path, group, None, rest, _unknown(path, name))
        path = (*path, name)
        if isinstance(entry, Command):
            return Invocation(path, group, entry, rest)
        group = entry


def _missing(group: Group, path: tuple[str, ...]) -> str:
    if not path or group.is_handmade:
        return "No command specified"
    return f'No "{" ".join(path)}" subcommand specified'


def _unknown(path: tuple[str, ...], name: str) -> str:
    if not path:
        return f"Unknown command '{name}'"
    return f"Unknown \"{' '.join(path)}\" subcommand '{name}'"
