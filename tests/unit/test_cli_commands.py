"""Every command in the registry keeps the contract between its module and the framework."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest

from pyostree.cli.needs import Need
from pyostree.cli.options import Option, Positional
from pyostree.cli.registry import TOP, Command, Group


def commands(group: Group) -> Iterator[Command]:
    for entry in group.entries:
        if isinstance(entry, Group):
            yield from commands(entry)
        else:
            yield entry


MODULES = sorted({command.module for command in commands(TOP)})


@pytest.mark.parametrize("name", MODULES)
def test_command_module_declares_what_its_args_hold(name: str) -> None:
    module = import_module(f"pyostree.cli.{name}")
    assert isinstance(module.PARAMETERS, str)
    assert isinstance(module.NEEDS, Need)
    assert all(isinstance(option, Option | Positional) for option in module.OPTIONS)
    fields = [option.dest for option in module.OPTIONS]
    assert len(fields) == len(set(fields))
    assert set(module.Args._fields) == set(fields)


@pytest.mark.parametrize("name", MODULES)
def test_command_module_options_have_help_and_one_meaning(name: str) -> None:
    module = import_module(f"pyostree.cli.{name}")
    options = [option for option in module.OPTIONS if isinstance(option, Option)]
    assert len({option.name for option in options}) == len(options)
    letters = [option.short for option in options if option.short]
    assert len(set(letters)) == len(letters)
    assert all(option.help or option.hidden for option in options)
    assert all(not option.help.endswith(".") for option in options)


@pytest.mark.parametrize("name", MODULES)
def test_command_module_surplus_positionals_come_last(name: str) -> None:
    module = import_module(f"pyostree.cli.{name}")
    many = [item.many for item in module.OPTIONS if isinstance(item, Positional)]
    assert True not in many[:-1]
