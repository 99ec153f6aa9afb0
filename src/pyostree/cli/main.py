"""The ``ostree`` program: from the arguments to an exit status."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from pyostree.cli import console as console_module
from pyostree.cli.console import Console
from pyostree.cli.dispatch import Invocation, find_command
from pyostree.cli.needs import SYSROOT, Finished, Need
from pyostree.cli.options import VERBOSE, VERSION, Option, Positional, UsageError
from pyostree.cli.parser import HelpRequested, Parsed, parse
from pyostree.cli.registry import TOP, Command, Group
from pyostree.errors import OstreeError
from pyostree.fs.limits import raise_open_files_limit

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class CommandModule(Protocol):
        """What the module of a command holds."""

        @property
        def PARAMETERS(self) -> str: ...  # noqa: N802 - these are constants in a module
        @property
        def NEEDS(self) -> Need: ...  # noqa: N802
        @property
        def OPTIONS(self) -> tuple[Option | Positional, ...]: ...  # noqa: N802
        @property
        def Args(self) -> Callable[..., Any]: ...  # noqa: N802
        @property
        def run(self) -> Callable[..., None]: ...


# What a command imports stays: looking for rubbish in it every few hundred objects, as Python does
# otherwise, is a tenth of its start-up time.
_OBJECTS_PER_COLLECTION = 20_000


def main() -> int:
    """Run the command line of this process; the exit status is 0 or 1."""
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    console = Console.standard()
    console_module.follow_locale_of_times()
    try:
        status = run_command_line(sys.argv, console)
        console.out.flush()
    except KeyboardInterrupt:
        console_module.die_by_signal("SIGINT")
    except BrokenPipeError:
        console_module.die_by_signal("SIGPIPE")
    except OSError as err:  # the disk that our output goes to is full
        console_module.drop_output(1)
        try:
            console.report(err)
        except OSError:  # standard error goes there too
            console_module.drop_output(2)
        return 1
    return status


def run_command_line(argv: Sequence[str], console: Console, top: Group = TOP) -> int:
    """Run one command and print what it has to say.

    Args:
        argv: the program's name and its arguments.
        console: where to print.
        top: the table of commands.

    Returns:
        The exit status.

    Raises:
        BrokenPipeError: whoever reads the output has gone.
    """
    try:
        _try_external(argv[1:], top)
        invocation = find_command(argv[1:], top)
        name = " ".join((_program_name(argv[0]), *invocation.path))
        if invocation.command is None:
            return _run_group(invocation, name, console)
        return _run_command(invocation, invocation.command, name, console)
    except (OstreeError, OSError) as err:
        if isinstance(err, BrokenPipeError) and console.is_reader_gone():
            raise
        console.report(err)
        return 1
    except MemoryError:
        console.report(OstreeError("Out of memory"))
        return 1


def _try_external(arguments: Sequence[str], top: Group) -> None:
    name = next((word for word in arguments if word and not word.startswith("-")), None)
    if name is None or top.find(name) is not None:
        return
    from pyostree.cli.external import find_external, run_external  # rarely needed

    program = find_external(name, os.environ.get("PATH", os.defpath))
    if program is not None:
        run_external(program, arguments)


def _program_name(typed: str) -> str:
    """Return how the user called us; the kernel gives scripts the full path found in PATH."""
    name = os.path.basename(typed)
    if name == "__main__.py":
        return "ostree"
    for directory in os.environ.get("PATH", os.defpath).split(":"):
        candidate = os.path.join(directory, name)
        if os.access(candidate, os.X_OK):
            return name if candidate == typed else typed
    return typed


def _run_command(invocation: Invocation, command: Command, name: str, console: Console) -> int:
    module: CommandModule = import_module(f"pyostree.cli.{command.module}")
    own = tuple(option for option in module.OPTIONS if isinstance(option, Option))
    need = module.NEEDS
    options = (*need.options_before, *own, *need.options_after, VERBOSE, VERSION)

    def usage() -> str:
        from pyostree.cli.help import command_usage  # rarely needed

        usage = command_usage(name, module.PARAMETERS, command.description, options)
        return usage + getattr(module, "EPILOG", "")

    parsed = _parse(options, usage, invocation.arguments, console)
    if parsed is None:
        return 0
    raise_open_files_limit()
    try:
        with need.acquire(parsed.values, console.out) as subject:
            fields = {option.dest: parsed.values[option.dest] for option in own}
            args = module.Args(**fields, **_bind(module.OPTIONS, parsed.positionals))
            module.run(args, *subject, console.out)
    except Finished:
        return 0
    except UsageError as err:
        console.message(usage() if err.spaced else usage().removesuffix("\n"))
        raise
    return 0


def _run_group(invocation: Invocation, name: str, console: Console) -> int:
    group = invocation.group
    options = (*(SYSROOT.options_before if group.is_admin else ()), VERBOSE, VERSION)

    def usage() -> str:
        from pyostree.cli.help import group_usage  # rarely needed

        return group_usage(name, group, options, path=" ".join(invocation.path))

    if invocation.wants_help:
        console.out.write(usage())
        return 0
    try:
        if not group.is_handmade:
            parsed = _parse(options, usage, invocation.arguments, console)
            if parsed is None:
                return 0
            if parsed.values.get("_print_current_dir"):
                return _print_current_dir(parsed, console)
        raise UsageError(invocation.problem)
    except (OstreeError, OSError):
        console.message(usage().removesuffix("\n"))
        raise


def _print_current_dir(parsed: Parsed, console: Console) -> int:
    try:
        with SYSROOT.acquire(parsed.values, console.out):
            pass
    except Finished:
        return 0
    return 0


def _parse(
    options: Sequence[Option], usage: Callable[[], str], arguments: Sequence[str], console: Console
) -> Parsed | None:
    """Parse, and act on the options that every command has; None when that was all."""
    try:
        parsed = parse(options, arguments, charset=console.charset)
    except HelpRequested:
        console.out.write(usage())
        return None
    if parsed.values["_version"]:
        from pyostree.cli.version import version_text  # rarely needed

        console.out.write(version_text())
        return None
    if parsed.values["_verbose"]:
        console_module.show_debug_messages(console.err)
    return parsed


def _bind(
    declared: Sequence[Option | Positional], given: tuple[str, ...]
) -> dict[str, str | tuple[str, ...] | None]:
    """Give each declared positional its share; what is left over is ignored, as ever."""
    bound: dict[str, str | tuple[str, ...] | None] = {}
    for item in declared:
        if isinstance(item, Option):
            continue
        if not given and item.missing:
            raise OstreeError(item.missing) if item.plain else UsageError(item.missing)
        if item.many:
            bound[item.dest], given = given, ()
        else:
            bound[item.dest], given = (given[0] if given else None), given[1:]
    return bound
