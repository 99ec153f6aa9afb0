"""The program as a process: streams that fail, signals, locales, external commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def start(
    *arguments: str, program: str = "-m pyostree", **options: object
) -> subprocess.CompletedProcess[bytes]:
    settings = {"env": ENVIRONMENT, "capture_output": True, "timeout": 60} | options
    return subprocess.run([sys.executable, *program.split(), *arguments], check=False, **settings)


def test_process_version_exits_0() -> None:
    result = start("--version")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"libostree:\n")


def test_process_full_disk_is_an_error() -> None:
    with open("/dev/full", "wb") as full:
        result = start("--version", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (1, b"error: No space left on device\n")


def test_process_both_streams_full_exits_1_silently() -> None:
    with open("/dev/full", "wb") as full:
        result = start("--version", capture_output=False, stdout=full, stderr=full)
    assert result.returncode == 1


def test_process_reader_gone_dies_like_sigpipe() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as pipe:
        result = start("--help", capture_output=False, stdout=pipe, stderr=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (-signal.SIGPIPE, b"")


def test_process_closed_output_is_no_traceback() -> None:
    result = subprocess.run(
        ["/bin/sh", "-c", f"exec {sys.executable} -m pyostree --version >&-"],
        check=False,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
    )
    assert (result.returncode, result.stderr) == (0, b"")


def test_process_interrupt_dies_by_sigint_quietly(tmp_path: Path) -> None:
    script = tmp_path / "interrupted.py"
    script.write_text(
        "import os, signal, sys\n"
        "from pyostree.cli import main\n"
        "def run_command_line(argv, console):\n"
        "    console.out.write('half a line')\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "main.run_command_line = run_command_line\n"
        "sys.exit(main.main())\n"
    )
    result = start(program=str(script))
    assert (result.returncode, result.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ({"LC_ALL": "C.UTF-8"}, "“\udcff”".encode(errors="surrogateescape")),
        ({"LC_ALL": "C"}, b"???"),
        ({"LC_ALL": "POSIX"}, b"???"),
        ({}, b"???"),
        ({"LANG": "C.UTF-8"}, "“\udcff”".encode(errors="surrogateescape")),
    ],
    ids=repr,
)
def test_process_output_fits_the_locale(
    tmp_path: Path, locale: dict[str, str], expected: bytes
) -> None:
    script = tmp_path / "print.py"
    script.write_text(
        "from pyostree.cli.console import Console\nConsole.standard().out.write('“\\udcff”')\n"
    )
    result = start(program=str(script), env=locale)
    assert result.stdout == expected.replace(b"???", b"???")


def external(directory: Path, text: str) -> dict[str, str]:
    program = directory / "ostree-frob"
    program.write_text(text)
    program.chmod(0o755)
    return ENVIRONMENT | {"PATH": f"{directory}:/usr/bin:/bin"}


def test_process_external_command_gets_all_arguments(tmp_path: Path) -> None:
    environment = external(tmp_path, '#!/bin/sh\necho "$@"\nexit 7\n')
    result = start("-v", "frob", "--bar", env=environment)
    assert (result.returncode, result.stdout) == (7, b"-v frob --bar\n")


def test_process_external_script_without_a_first_line_is_run_by_the_shell(tmp_path: Path) -> None:
    result = start("frob", "x", env=external(tmp_path, 'echo "$@"\nexit 7\n'))
    assert (result.returncode, result.stdout) == (7, b"frob x\n")


def test_process_external_command_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    environment = external(tmp_path, "#!/nonexistent\n")
    result = start("frob", env=environment)
    expected = b"error: Executing ostree-frob: No such file or directory\n"
    assert (result.returncode, result.stderr) == (1, expected)


def on_terminal(*arguments: str, env: dict[str, str]) -> str:
    """Run with both streams on a terminal and return what it shows."""
    ours, theirs = os.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "capture_output": False}
    start(*arguments, env=env, **streams)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            shown += chunk
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(ours)
    return shown.decode()


def test_process_on_a_terminal_no_pager_and_a_red_word() -> None:
    pager = ENVIRONMENT | {"PAGER": "false", "NO_COLOR": "1", "TERM": "dumb"}
    assert on_terminal("--version", env=pager).startswith("libostree:\r\n Version: '")
    shown = on_terminal("rev-parse", "--repo=/nonexistent", "x", env=pager)
    assert shown.startswith("\x1b[31m\x1b[1merror:\x1b[0m\x1b[22m opening repo: opendir(/nonexist")
