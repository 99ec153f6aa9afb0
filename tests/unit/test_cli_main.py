from __future__ import annotations

import io
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TextIO

import pytest

from pyostree.cli import needs
from pyostree.cli.console import Console
from pyostree.cli.main import run_command_line
from pyostree.cli.options import UsageError, flag, positional, positionals, texts
from pyostree.cli.registry import AdminGroup, Command, Group
from pyostree.errors import OstreeError, doing

TABLE = Group(
    "",
    "",
    entries=(
        Command("probe", "_probe", "Try things"),
        AdminGroup("admin", "Deployments", entries=()),
    ),
)


class Args(NamedTuple):
    list: bool
    set_: tuple[str, ...]
    name: str
    rest: tuple[str, ...]


class Run(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A command module that prints its arguments."""
    module = ModuleType("pyostree.cli._probe")
    module.PARAMETERS = "NAME [REST...]"
    module.NEEDS = needs.NOTHING
    module.OPTIONS = (
        flag("list"),
        texts("set", dest="set_"),
        positional("name", missing="NAME must be specified"),
        positionals("rest"),
    )
    module.Args = Args
    module.run = lambda args, out: print(tuple(args), file=out)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def run(*arguments: str) -> Run:
    out, err = io.StringIO(), io.StringIO()
    status = run_command_line(["./ostree", *arguments], Console(out, err, "utf-8"), TABLE)
    return Run(status, out.getvalue(), err.getvalue())


def fail(err: BaseException) -> None:
    raise err


@pytest.mark.usefixtures("probe")
def test_run_command_line_fills_args_by_name() -> None:
    assert run("probe", "--set=a", "n", "--list", "--set", "b", "r1", "--", "-r2") == (
        0,
        "(True, ('a', 'b'), 'n', ('r1', '-r2'))\n",
        "",
    )


@pytest.mark.usefixtures("probe")
def test_run_command_line_missing_positional_shows_usage_and_an_empty_line() -> None:
    result = run("probe")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(
        "Usage:\n  ./ostree probe [OPTION…] NAME [REST...]\n\nTry things\n"
    )
    assert result.err.endswith("build\n\n\nerror: NAME must be specified\n")


def test_run_command_line_plain_missing_positional_shows_no_usage(probe: ModuleType) -> None:
    probe.OPTIONS = (*probe.OPTIONS[:2], positional("name", missing="NAME?", plain=True))
    assert run("probe") == (1, "", "error: NAME?\n")


def test_run_command_line_unspaced_usage_error_has_one_empty_line(probe: ModuleType) -> None:
    probe.run = lambda args, out: fail(UsageError("KEY-ID?", spaced=False))
    assert run("probe", "x").err.endswith("build\n\nerror: KEY-ID?\n")


@pytest.mark.usefixtures("probe")
def test_run_command_line_bad_option_shows_no_usage() -> None:
    assert run("probe", "--repo=x") == (1, "", "error: Unknown option --repo=x\n")


@pytest.mark.usefixtures("probe")
def test_run_command_line_help_goes_to_standard_output() -> None:
    result = run("--help", "probe", "--nonsense")
    assert (result.status, result.err) == (0, "")
    assert result.out.count("Usage") == 1
    assert "./ostree probe" in result.out


@pytest.mark.parametrize(
    "arguments", [["--version"], ["admin", "--version"], ["probe", "--version"]]
)
@pytest.mark.usefixtures("probe")
def test_run_command_line_version_works_everywhere(arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.status, result.out.splitlines()[0], result.err) == (0, "libostree:", "")


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        ([], "error: No command specified"),
        (["frob-does-not-exist"], "error: Unknown command 'frob-does-not-exist'"),
        (["admin", "frob"], "error: Unknown \"admin\" subcommand 'frob'"),
        (["admin", "frob", "--x"], "error: Unknown option --x"),
        (["--repo=R"], "error: Unknown option --repo=R"),
    ],
    ids=repr,
)
def test_run_command_line_without_command_shows_usage(arguments: list[str], last: str) -> None:
    result = run(*arguments)
    assert (result.status, result.out) == (1, "")
    assert result.err.count("Usage:") == 1
    assert result.err.endswith(f"build\n\n{last}\n")


def test_run_command_line_errors_show_their_notes_outermost_first(probe: ModuleType) -> None:
    def work(args: Args, out: TextIO) -> None:
        with doing("outer"), doing("openat(x)"):
            raise FileNotFoundError(2, "whatever")

    probe.run = work
    assert run("probe", "x") == (1, "", "error: outer: openat(x): No such file or directory\n")


@pytest.mark.parametrize("err", [OstreeError("boo"), MemoryError()], ids=repr)
def test_run_command_line_foreseen_errors_are_one_line(
    probe: ModuleType, err: BaseException
) -> None:
    probe.run = lambda args, out: fail(err)
    result = run("probe", "x")
    assert (result.status, result.err.count("\n")) == (1, 1)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_run_command_line_on_a_terminal_colours_the_error_and_hints(probe: ModuleType) -> None:
    class HintedError(OstreeError):
        hint = "do this"

    probe.run = lambda args, out: fail(HintedError("boo"))
    console = Console(Terminal(), Terminal(), "utf-8")
    assert run_command_line(["ostree", "probe", "x"], console, TABLE) == 1
    assert console.err.getvalue() == ("\x1b[31m\x1b[1merror:\x1b[0m\x1b[22m boo\nhint: do this\n")


def test_run_command_line_verbose_prints_what_the_library_logs(probe: ModuleType) -> None:
    import logging

    logger = logging.getLogger("pyostree")
    before = list(logger.handlers)
    probe.run = lambda args, out: logger.debug("using %s", "this")
    try:
        assert run("probe", "-v", "x") == (0, "", "OT: using this\n")
    finally:
        logger.handlers[:] = before
        logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    ("need", "message"),
    [
        (needs.REPO, "opening repo: opendir({}): No such file or directory"),
        (needs.REPO_OR_SYSROOT, "opening repo: opendir({}): No such file or directory"),
    ],
    ids=["repo", "repo or sysroot"],
)
def test_need_repo_named_but_missing_is_a_plain_error(
    probe: ModuleType, tmp_path: Path, need: needs.Need, message: str
) -> None:
    probe.NEEDS = need
    missing = tmp_path / "none"
    expected = f"error: {message.format(missing)}\n"
    assert run("probe", f"--repo={missing}", "x") == (1, "", expected)


def test_need_repo_not_named_and_missing_asks_for_it(
    probe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe.NEEDS = needs.REPO
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OSTREE_REPO", raising=False)
    monkeypatch.setenv("OSTREE_SYSROOT", str(tmp_path))
    result = run("probe", "x")
    assert result.err.endswith("build\n\nerror: Command requires a --repo argument\n")
    assert result.err.startswith("Usage:\n")


def test_default_repo_path_prefers_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OSTREE_REPO", raising=False)
    monkeypatch.delenv("OSTREE_SYSROOT", raising=False)
    found = [needs.default_repo_path()]
    monkeypatch.setenv("OSTREE_SYSROOT", "/sys")
    found.append(needs.default_repo_path())
    monkeypatch.setenv("OSTREE_REPO", "relative")
    found.append(needs.default_repo_path())
    (tmp_path / "objects").mkdir()
    (tmp_path / "config").touch()
    found.append(needs.default_repo_path())
    assert found == ["/ostree/repo", "/sys/ostree/repo", "relative", "."]
