from __future__ import annotations

import pytest

from pyostree.cli.dispatch import find_command
from pyostree.cli.registry import TOP, AdminGroup, Command, Group, HandmadeGroup

TABLE = Group(
    "",
    "",
    entries=(
        Command("refs", "refs", "r"),
        Group("remote", "x", entries=(Command("add", "remote_add", "a"),)),
        HandmadeGroup("static-delta", "d", entries=(Command("list", "delta_list", "l"),)),
        AdminGroup(
            "admin",
            "y",
            entries=(AdminGroup("kargs", "k", entries=(Command("edit", "kargs_edit", "e"),)),),
        ),
    ),
)


@pytest.mark.parametrize(
    ("words", "path", "arguments"),
    [
        ("refs", "refs", ""),
        ("--repo=R -v refs a --list", "refs", "--repo=R -v a --list"),
        ("-- refs x", "refs", "-- x"),
        ("refs -- x -y", "refs", "-- x -y"),
        ("remote add NAME URL", "remote add", "NAME URL"),
        ("remote --repo=R add NAME", "remote add", "--repo=R NAME"),
        ("--repo=R remote add NAME", "remote add", "--repo=R NAME"),
        ("remote add -- NAME URL", "remote add", ""),
        ("static-delta list -- x", "static-delta list", "-- x"),
        ("static-delta -- list -x", "static-delta list", "-- -x"),
        ("admin -v kargs edit --foo", "admin kargs edit", "-v --foo"),
    ],
)
def test_find_command_takes_names_out_and_keeps_order(
    words: str, path: str, arguments: str
) -> None:
    found = find_command(words.split(), TABLE)
    assert found.command is not None
    assert (" ".join(found.path), found.arguments) == (path, arguments.split())


@pytest.mark.parametrize(
    ("words", "problem", "arguments"),
    [
        ([], "No command specified", []),
        (["--repo=R"], "No command specified", ["--repo=R"]),
        (["--repo", "R", "refs"], "Unknown command 'R'", ["--repo", "refs"]),
        ([""], "Unknown command ''", []),
        (["remote"], 'No "remote" subcommand specified', []),
        (["remote", "--", "add"], 'No "remote" subcommand specified', []),
        (["remote", "frob", "-x"], "Unknown \"remote\" subcommand 'frob'", ["-x"]),
        (["admin", "kargs"], 'No "admin kargs" subcommand specified', []),
        (["admin", "kargs", "frob"], "Unknown \"admin kargs\" subcommand 'frob'", []),
        (["static-delta"], "No command specified", []),
        (["static-delta", "frob"], "Unknown \"static-delta\" subcommand 'frob'", []),
    ],
    ids=repr,
)
def test_find_command_without_a_command_says_why(
    words: list[str], problem: str, arguments: list[str]
) -> None:
    found = find_command(words, TABLE)
    assert found.command is None
    assert (found.problem, found.arguments, found.wants_help) == (problem, arguments, False)


def test_find_command_static_delta_help_before_a_name_is_the_groups() -> None:
    assert find_command(["static-delta", "-h", "list"], TABLE).wants_help
    assert not find_command(["static-delta", "list", "-h"], TABLE).wants_help


def test_registry_names_are_unique() -> None:
    groups = [TOP]
    while groups:
        group = groups.pop()
        names = [entry.name for entry in group.entries]
        assert len(names) == len(set(names))
        groups += [entry for entry in group.entries if isinstance(entry, Group)]
