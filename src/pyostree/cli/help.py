"""The usage texts, in the layout of GLib's option parser."""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.cli.options import Option
from pyostree.cli.registry import Group

_HELP = Option("help", "h", "flag", help="Show this text")
_GAP = 5  # columns between the longest option and the descriptions
_HANDMADE_WIDTH = 17


def command_usage(name: str, parameters: str, description: str, options: Sequence[Option]) -> str:
    """Return the usage text of a command.

    Args:
        name: program and command as typed, such as ``ostree remote add``.
        parameters: what the usage line says about positionals.
        description: one line.
        options: in the order of the list.
    """
    return _usage(name, parameters, [description, ""], options)


def group_usage(name: str, group: Group, options: Sequence[Option], *, path: str = "") -> str:
    """Return the usage text of a group of commands, or of the whole program.

    Args:
        name: program and groups as typed.
        group: whose commands are listed.
        options: that are known when no command is named.
        path: the group's name below others; default: its own.
    """
    path = path or group.name
    title = f'Builtin "{path}" Commands:' if path else "Builtin Commands:"
    if group.is_handmade:
        head = ["Usage:", f"  {name} [OPTION...] {group.parameters}", "", title]
        return "\n".join([*head, *_listing(group, _HANDMADE_WIDTH), "", ""])
    summary = [group.description, ""] if group.description else []
    middle = [*summary, title, *_listing(group, group.width), ""]
    return _usage(name, group.parameters, middle, options)


def _usage(name: str, parameters: str, middle: list[str], options: Sequence[Option]) -> str:
    shown = [option for option in (_HELP, *options) if not option.hidden]
    rows = list(zip(_labels(shown), (option.help for option in shown), strict=True))
    width = max(len(label) for label, _ in rows) + _GAP
    lines = [f"  {label:<{width}}{description}".rstrip() for label, description in rows]
    line = f"  {name} [OPTION…] {parameters}".rstrip()
    head = ["Usage:", line, "", *middle, "Help Options:", lines[0], "", "Application Options:"]
    return "\n".join([*head, *lines[1:], "", ""])


def _listing(group: Group, width: int) -> list[str]:
    return [
        f"  {entry.name:<{width}}{entry.description}" for entry in group.entries if not entry.hidden
    ]


def _labels(options: Sequence[Option]) -> list[str]:
    """Return the options as typed; a letter is shown with the first one that has it."""
    taken = set()
    labels = []
    for option in options:
        short = f"-{option.short}, " if option.short and option.short not in taken else ""
        value = f"={option.metavar}" if option.metavar else ""
        labels.append(f"{short}--{option.name}{value}")
        taken.add(option.short)
    return labels
