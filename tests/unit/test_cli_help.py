from __future__ import annotations

from pyostree.cli.help import command_usage, group_usage
from pyostree.cli.options import VERSION, filename, flag, text
from pyostree.cli.registry import AdminGroup, Command, Group, HandmadeGroup
from pyostree.cli.version import version_text

_ENTRIES = (
    Command("list", "x", "List things"),
    Command("secret", "x", "Not shown", hidden=True),
)


def test_command_usage_layout() -> None:
    options = (
        filename("repo", metavar="PATH", help="The repository"),
        flag("dironly", "d", help="Only directories"),
        text("cache-dir", help="Cache"),
        flag("force-copy-zerosized", "z", hidden=True),
        VERSION,
    )
    assert command_usage("ostree ls", "COMMIT [PATH...]", "List files", options) == (
        "Usage:\n"
        "  ostree ls [OPTION…] COMMIT [PATH...]\n"
        "\n"
        "List files\n"
        "\n"
        "Help Options:\n"
        "  -h, --help        Show this text\n"
        "\n"
        "Application Options:\n"
        "  --repo=PATH       The repository\n"
        "  -d, --dironly     Only directories\n"
        "  --cache-dir       Cache\n"
        "  --version         Show the version and the features of this build\n"
        "\n"
    )


def test_command_usage_without_parameters_ends_after_options() -> None:
    usage = command_usage("ostree fsck", "", "Check", (VERSION,))
    assert usage.startswith("Usage:\n  ostree fsck [OPTION…]\n\nCheck\n\n")


def test_group_usage_lists_what_is_not_hidden() -> None:
    group = AdminGroup("admin", "Deployments", parameters="P|COMMAND", width=25, entries=_ENTRIES)
    assert group_usage("ostree admin", group, (VERSION,)) == (
        "Usage:\n"
        "  ostree admin [OPTION…] P|COMMAND\n"
        "\n"
        "Deployments\n"
        "\n"
        'Builtin "admin" Commands:\n'
        "  list                     List things\n"
        "\n"
        "Help Options:\n"
        "  -h, --help     Show this text\n"
        "\n"
        "Application Options:\n"
        "  --version      Show the version and the features of this build\n"
        "\n"
    )


def test_group_usage_of_the_program_has_no_description() -> None:
    usage = group_usage("./bin/ostree", Group("", "", entries=_ENTRIES), (VERSION,))
    head = "Usage:\n  ./bin/ostree [OPTION…] COMMAND\n\nBuiltin Commands:\n"
    assert usage.startswith(head + "  list              List things\n\nHelp Options:\n")


def test_group_usage_nested_group_names_its_path_even_below_a_path_with_blanks() -> None:
    group = AdminGroup("kargs", "Arguments", width=24, entries=())
    usage = group_usage("/my bin/ostree admin kargs", group, (VERSION,), path="admin kargs")
    assert 'Arguments\n\nBuiltin "admin kargs" Commands:\n\nHelp Options:\n' in usage


def test_group_usage_static_delta_is_short() -> None:
    group = HandmadeGroup("static-delta", "Deltas", entries=_ENTRIES)
    assert group_usage("ostree static-delta", group, (VERSION,)) == (
        "Usage:\n"
        "  ostree static-delta [OPTION...] COMMAND\n"
        "\n"
        'Builtin "static-delta" Commands:\n'
        "  list             List things\n"
        "\n"
    )


def test_version_text_is_the_familiar_block() -> None:
    lines = version_text().splitlines()
    assert lines[:3] == ["libostree:", " Version: '2026.5'", " Features:"]
    assert all(line.startswith("  - ") for line in lines[3:])
    assert "  - p2p" in lines  # the reference's word for find-remotes and create-usb
