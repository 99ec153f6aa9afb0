"""A deploy that stops at any point leaves a system that boots, and the next deploy works."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault.power import every_cut, power_cut
from pyostree.sysroot import Sysroot, SysrootSettings
from pyostree.sysroot.deploy_rev import DeployOptions, KernelArgChanges, deploy_rev
from pyostree.sysroot.undeploy import undeploy
from repo_lab import link_tree
from sysroot_lab import REFSPEC, Lab, admin, run, scratch

SETTINGS = SysrootSettings(mutable_deployments=True)
NEW_ARGS = KernelArgChanges(append=("new",))


def deploy(path: Path, kernel_args: KernelArgChanges = NEW_ARGS) -> None:
    with Sysroot.open(path) as sysroot:
        sysroot.settings = SETTINGS
        sysroot.lock()
        sysroot.load()
        deploy_rev(sysroot, DeployOptions(REFSPEC, stateroot="testos", kernel_args=kernel_args))


def undeploy_last(path: Path) -> None:
    with Sysroot.open(path) as sysroot:
        sysroot.settings = SETTINGS
        sysroot.lock()
        sysroot.load()
        undeploy(sysroot, len(sysroot.deployments) - 1)


def check_bootable(path: Path) -> list[str]:
    """Check as a boot loader and a ramdisk would; return the deployments' names in boot order."""
    entries = path / "boot/loader/entries"
    for entry in entries.glob("*.conf"):
        keys = dict(line.split(" ", 1) for line in entry.read_text().splitlines())
        for key in ("linux", "initrd"):
            assert (path / "boot" / keys[key].lstrip("/")).stat().st_size
        (link,) = (word for word in keys["options"].split() if word.startswith("ostree="))
        root = path / link.removeprefix("ostree=").lstrip("/")
        assert (root / "usr/bin/sh").read_text() == "an executable"
        assert (root / "etc/aconfigfile").read_text() == "edited"
        assert Path(f"{root.resolve()}.origin").read_text() == f"[origin]\nrefspec={REFSPEC}\n"
    variables = (path / "boot/uEnv.txt").read_text()
    assert variables.count("kernel_image") == len(list(entries.glob("*.conf")))
    with Sysroot.open(path) as sysroot:
        sysroot.load()
        return [one.name for one in sysroot.deployments]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory in memory: hundreds of sysroots are made and deleted."""
    with scratch() as path:
        yield path


@pytest.fixture
def prepared(place: Path, reference: Path) -> Path:
    """A sysroot with two deployments of version 1, and version 2 in its repository."""
    lab = Lab(place, reference)
    sysroot = lab.make_sysroot("prepared", reference)
    for version, more in (("1", {}), ("2", {"usr/lib/modules/3.6.0/vmlinuz": "new kernel"})):
        lab.write_tree(more)
        lab.commit(version)
        lab.pull(sysroot)
        if version == "1":
            admin(reference, sysroot, "deploy", "--os=testos", "--karg=quiet", REFSPEC)
            root = run(reference, "admin", f"--sysroot={sysroot}", "--print-current-dir").strip()
            Path(root, "etc/aconfigfile").write_text("edited")
            admin(reference, sysroot, "deploy", "--os=testos", REFSPEC)
    return sysroot


def copy(prepared: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    return link_tree(prepared, target)


@pytest.mark.slow
def test_deploy_power_cut_anywhere_boots_old_or_new(prepared: Path, place: Path) -> None:
    old = check_bootable(prepared)
    seen = set()
    for number in every_cut():
        path = copy(prepared, place / "cut")
        with power_cut(before_call=number) as power:
            deploy(path)
        now = check_bootable(path)
        is_new = now != old
        seen.add(is_new)
        if is_new:
            assert now[1:] == old[:1]
        if number % 5 == 0 or not power.was_cut:
            (path / "ostree/lock").unlink(missing_ok=True)
            deploy(path)
            assert len(check_bootable(path)) == 2
        if not power.was_cut:
            break
    assert seen == {False, True}
    assert check_bootable(prepared) == old, "no file is written to while it has a name"


@pytest.mark.slow
def test_deploy_same_entries_power_cut_anywhere_boots_old_or_new(
    prepared: Path, place: Path
) -> None:
    # Version 2 twice: the third deploy then differs from the second only in what links lead to.
    deploy(prepared, KernelArgChanges())
    deploy(prepared, KernelArgChanges())
    old = check_bootable(prepared)
    loader = os.readlink(prepared / "boot/loader")
    for number in every_cut():
        path = copy(prepared, place / "cut")
        with power_cut(before_call=number) as power:
            deploy(path, KernelArgChanges())
        now = check_bootable(path)
        assert now == old or now[1:] == old[:1]
        assert os.readlink(path / "boot/loader") == loader
        if not power.was_cut:
            assert now != old
            break


@pytest.mark.slow
def test_undeploy_power_cut_anywhere_boots(prepared: Path, place: Path) -> None:
    old = check_bootable(prepared)
    for number in every_cut():
        path = copy(prepared, place / "cut")
        with power_cut(before_call=number) as power:
            undeploy_last(path)
        assert check_bootable(path) in (old, old[:1])
        if not power.was_cut:
            break


def test_deploy_syncs_everything_before_the_switch(prepared: Path) -> None:
    with power_cut() as power:
        deploy(prepared)
    names = [name for name, _ in power.calls]
    switch = next(
        number
        for number, (name, args) in enumerate(power.calls)
        if name == "rename" and args[:2] == ("loader.tmp", "loader")
    )
    # Nothing is written between the sync of both file systems and the switch.
    assert names[switch - 2 : switch] == ["syncfs", "freeze"]
    # Nothing that the old configuration needs is removed before the switch is durable.
    assert names[switch + 1] == "freeze"
