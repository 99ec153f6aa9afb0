"""On a system that runs from a deployment: ours and the C implementation do the same.

A deployment becomes the root of a private mount namespace, as on a device: its sysroot, ``/boot``
and ``/var`` mounted, ``/run/ostree-booted`` there. The host's files are visible in it below
``/run/host``, and from there the commands are run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from sysroot_lab import (
    REFSPEC,
    VARS,
    Lab,
    admin,
    empty,
    environment,
    neutral,
    run,
    scratch,
    snapshot,
)

pytestmark = [
    pytest.mark.serial,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount"),
]

HOST = "/run/host"
# Programs name their dynamic linker by its full path, which is another one here.
LINKER = [*Path("/lib64").glob("ld-linux-*"), *Path("/lib").glob("ld-linux-*")][0].resolve()
LIBRARIES = ":".join(
    f"{HOST}{path}"
    for path in (f"/usr/lib/{os.uname().machine}-linux-gnu", sysconfig.get_config_var("LIBDIR"))
)
SCRIPT = """
set -e
sysroot=$1 deployment=$2 root=$sysroot/../newroot
shift 2
mkdir -p $root
mount --bind $deployment $root
mount --bind $sysroot $root/sysroot
mount --bind $sysroot/boot $root/boot
mount --bind $sysroot/ostree/deploy/testos/var $root/var
mount -t tmpfs tmpfs $root/run
touch $root/run/ostree-booted
mkdir $root/run/host
mount --bind / $root/run/host
mount --rbind /dev $root/dev
mount -t proc proc $root/proc
exec chroot $root "$@"
"""


class Device:
    """One sysroot whose default deployment at the time of `boot` is the running system."""

    def __init__(self, lab: Lab, name: str, reference: Path) -> None:
        self.sysroot = lab.make_sysroot(name, reference)
        lab.pull(self.sysroot)
        admin(reference, self.sysroot, "deploy", "--os=testos", "--karg=quiet", REFSPEC)
        self._reference = reference
        self.boot()

    def boot(self) -> None:
        """Reboot into the default deployment."""
        where = run(self._reference, "admin", f"--sysroot={self.sysroot}", "--print-current-dir")
        self._root = where.strip()

    def run(self, command: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
        unshare = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--propagation=private",
            "sh",
            "-c",
            SCRIPT,
            "sh",
        ]
        program = [f"{HOST}{LINKER}", "--library-path", LIBRARIES, *command]
        return subprocess.run(
            [*unshare, self.sysroot, self._root, *program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment(
                PYTHONPATH=":".join(f"{HOST}{path}" for path in sys.path if path),
                PYTHONHOME=f"{HOST}{sys.base_prefix}",
                PYTHONDONTWRITEBYTECODE="1",
            ),
        )


@pytest.fixture
def lab(reference: Path) -> Iterator[Lab]:
    """An operating system that can run as one: mount points, ``/ostree``."""
    with scratch() as path:
        lab = Lab(path, reference)
        for name in ("proc", "dev", "run"):
            (lab.tree / name).mkdir()
        (lab.tree / "ostree").symlink_to("sysroot/ostree")
        lab.commit("1")
        yield lab


class BootedTwins:
    """Two devices that get the same commands."""

    def __init__(self, lab: Lab, reference: Path) -> None:
        self.lab = lab
        self.devices = [Device(lab, f"sysroot{number}", reference) for number in (0, 1)]
        python = f"{HOST}{Path(sys.executable).resolve()}"
        code = "import sys; from pyostree.cli.main import main; sys.exit(main())"
        self._commands = [[python, "-c", code], [f"{HOST}{reference}"]]

    def admin(self, *arguments: str) -> str:
        """Run a command on both; what it prints and leaves must be equal."""
        done = [
            device.run(command, "admin", *arguments)
            for device, command in zip(self.devices, self._commands, strict=True)
        ]
        for one in done:
            assert one.returncode == 0, one.stderr
        assert neutral(done[0].stdout) == neutral(done[1].stdout)
        self.compare()
        return done[0].stdout

    def fail(self, *arguments: str) -> str:
        done = [
            device.run(command, "admin", *arguments)
            for device, command in zip(self.devices, self._commands, strict=True)
        ]
        for one in done:
            assert one.returncode == 1, one.stdout
        assert done[0].stderr == done[1].stderr
        self.compare()
        return done[0].stderr

    def compare(self) -> None:
        one, other = (snapshot(device.sysroot, skip=VARS) for device in self.devices)
        assert one.keys() == other.keys()
        for path, entry in one.items():
            assert entry == other[path], path

    def new_version(self, version: str) -> None:
        self.lab.commit(version)
        for device in self.devices:
            self.lab.pull(device.sysroot)

    def reboot(self) -> None:
        for device in self.devices:
            device.boot()


def test_booted_system_deploys_and_rolls_back_alike(lab: Lab, reference: Path) -> None:
    twins = BootedTwins(lab, reference)
    assert twins.admin("status").startswith("* testos ")
    twins.new_version("2")
    twins.admin("deploy", REFSPEC)
    shown = twins.admin("status").splitlines()
    assert shown[0].endswith(" (pending)")
    assert shown[3].startswith("* testos ")
    twins.fail("undeploy", "1")
    twins.new_version("3")
    twins.admin("deploy", "--retain-pending", REFSPEC)
    twins.admin("deploy", "--not-as-default", "--retain-pending", "--retain-rollback", REFSPEC)
    twins.admin("status")
    twins.reboot()
    assert "(rollback)" in twins.admin("status")
    twins.admin("undeploy", "1")
    twins.admin("pin", "1")
    twins.new_version("4")
    twins.admin("deploy", REFSPEC)
    assert "Pinned: yes" in twins.admin("status")
    twins.admin("cleanup")
    twins.admin("set-origin", "elsewhere", "http://example.com/repo", "other/branch")


def test_booted_system_needs_no_stateroot_named(lab: Lab, reference: Path) -> None:
    twins = BootedTwins(lab, reference)
    twins.admin("os-init", "otheros")
    for device in twins.devices:
        empty(device.sysroot / "ostree/deploy/otheros/var")
    twins.admin("deploy", "--os=otheros", REFSPEC)
    twins.admin("status")
    twins.admin("deploy", REFSPEC)
    twins.admin("status")
