"""A deploy that is killed at any time leaves a system that boots, and the next deploy works."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sysroot_lab import REFSPEC, Lab, admin, environment, run, scratch

STEPS = 12


@pytest.fixture
def prepared(ostree: Path, reference: Path) -> Iterator[Path]:
    """A sysroot with one deployment, and another version in its repository."""
    with scratch() as place:
        lab = Lab(place, reference)
        lab.commit("1")
        sysroot = lab.make_sysroot("prepared", reference)
        lab.pull(sysroot)
        admin(reference, sysroot, "deploy", "--os=testos", "--karg=quiet", REFSPEC)
        lab.write_tree({"usr/lib/modules/3.6.0/vmlinuz": "new kernel"})
        lab.commit("2")
        lab.pull(sysroot)
        yield sysroot


def deploy_command(ostree: Path, sysroot: Path) -> list[str | Path]:
    return [ostree, "admin", "deploy", f"--sysroot={sysroot}", "--os=testos", REFSPEC]


def test_deploy_killed_any_time_next_deploy_works(
    prepared: Path, ostree: Path, reference: Path
) -> None:
    started = time.monotonic()
    copy = prepared.parent / "copy"
    shutil.copytree(prepared, copy, symlinks=True)
    subprocess.run(deploy_command(ostree, copy), check=True, env=environment())
    whole_s = time.monotonic() - started
    for step in range(STEPS):
        shutil.rmtree(copy)
        shutil.copytree(prepared, copy, symlinks=True)
        process = subprocess.Popen(
            deploy_command(ostree, copy),
            env=environment(),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(whole_s * step / STEPS)
        process.kill()
        process.wait()
        before = admin(reference, copy, "status")
        assert before.count("testos ") in (1, 2)
        subprocess.run(deploy_command(ostree, copy), check=True, env=environment())
        assert admin(reference, copy, "status").count("testos ") == 2
        run(reference, "fsck", f"--repo={copy}/ostree/repo")


FROZEN = """
    import os, signal
    from pyostree.fs import freeze
    from pyostree.fs.dir import Dir

    def die(directory):
        os.kill(os.getpid(), signal.SIGKILL)

    def thaw(directory):
        directory.create_file("thawed")

    freeze.freeze, freeze.thaw = die, thaw
    freeze.freeze_thaw(Dir.at("."))
"""


def test_freeze_killed_while_frozen_watchdog_thaws(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FROZEN)], cwd=tmp_path, check=False
    )
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while not (tmp_path / "thawed").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


NOT_KILLED = FROZEN.replace("os.kill(os.getpid(), signal.SIGKILL)", "pass").replace(
    'directory.create_file("thawed")', 'directory.replace_file("thawed", str(os.getpid()).encode())'
)


def test_freeze_watchdog_leaves_a_thawed_system_alone(tmp_path: Path) -> None:
    script = textwrap.dedent(NOT_KILLED) + "\nprint(os.getpid())\n"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.2)
    assert (tmp_path / "thawed").read_text() == done.stdout.strip()
    assert os.listdir(tmp_path) == ["thawed"]
