"""Find the command that the arguments name."""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.cli.registry import Command, Group


class Invocation:
    """A command line, split.

    Attributes:
        path: names of the groups and the command, as far as they are known.
        group: the innermost group.
        arguments: everything else, in the order given.
        command: None when there is no such command; `problem` then says so.
        wants_help: help for the group was asked for before a command's name came.
    """

    __slots__ = ("arguments", "command", "group", "path", "problem", "wants_help")

    def __init__(self, path: tuple[str, ...], group: Group, arguments: list[str]) -> None:
        self.path = path
        self.group = group
        self.arguments = arguments
        self.command: Command | None = None
        self.problem = ""
        self.wants_help = False


def find_command(arguments: Sequence[str], top: Group) -> Invocation:
    """Take the command's name, through its groups, out of `arguments` (no program name)."""
    found = Invocation((), top, list(arguments))
    while found.command is None:
        group = found.group
        name = _take_name(found)
        if name is None:
            break
        entry = group.find(name)
        if entry is None:
            found.problem = _unknown(found.path, name)
            break
        found.path = (*found.path, name)
        if isinstance(entry, Command):
            found.command = entry
        else:
            found.group = entry
    return found


def _take_name(found: Invocation) -> str | None:
    """Remove the first word without a dash; without one, say so in `found`."""
    group, words = found.group, found.arguments
    if found.path and not group.is_handmade and "--" in words:
        del words[words.index("--") :]  # the reference's groups drop it and all that follows
    index = next((i for i, word in enumerate(words) if not word.startswith("-")), None)
    if group.is_handmade and any(word in ("-h", "--help") for word in words[:index]):
        found.wants_help = True
    elif index is not None:
        return words.pop(index)
    else:
        found.problem = _missing(group, found.path)
    return None


def _missing(group: Group, path: tuple[str, ...]) -> str:
    if not path or group.is_handmade:
        return "No command specified"
    return f'No "{" ".join(path)}" subcommand specified'


def _unknown(path: tuple[str, ...], name: str) -> str:
    if not path:
        return f"Unknown command '{name}'"
    return f"Unknown \"{' '.join(path)}\" subcommand '{name}'"
