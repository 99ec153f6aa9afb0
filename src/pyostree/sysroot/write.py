"""Writing the list of deployments: the atomic switch from one boot configuration to the next.

Everything a new configuration needs is written beside the old one and synced; then one rename makes
it current. Before that rename the old configuration is whole, after it the new one::

    boot/loader -> loader.V           renamed when boot entries change
    ostree/boot.V -> boot.V.S         renamed when only the deployments behind them do
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyostree.errors import DeploymentError, doing
from pyostree.formats.kargs import KernelArgs
from pyostree.fs.dir import Dir
from pyostree.fs.journal import JournalEntry
from pyostree.sysroot.boot_entries import (
    EntryWriter,
    commit_version,
    read_entry_settings,
)
from pyostree.sysroot.boot_links import (
    assign_bootserials,
    create_boot_links,
    swap_boot_links,
)
from pyostree.sysroot.bootloaders import BootContext, select_bootloader
from pyostree.sysroot.cleanup import cleanup
from pyostree.sysroot.deployment import Deployment
from pyostree.sysroot.load import read_entries, read_subbootversion
from pyostree.sysroot.sync import freeze_boot, full_sync
from pyostree.sysroot.sysroot import Sysroot

_MESSAGE_ID = "dd440e3e549083b63d0efc7dc15255f1"


class _Switch(NamedTuple):
    """How the new list became current; `bootloader` is the name of the one that was told of it."""

    bootversion: int
    subbootversion: int
    is_new_bootversion: bool
    is_atomic: bool
    bootloader: str = "none"


def write_deployments(
    sysroot: Sysroot, deployments: Sequence[Deployment], *, clean: bool = True
) -> None:
    """Make `deployments`, the default first, the list of the sysroot.

    Args:
        clean: remove afterwards what is no longer used, objects included.

    Raises:
        DeploymentError: a deployment's directory is missing, or the booted one is not in the list.
    """
    sysroot.ensure_writable()
    sysroot.open_boot()
    new = assign_bootserials(deployments)
    same_entries = _have_same_entries(sysroot, new)
    if same_entries and [one.key for one in new] == [one.key for one in sysroot.deployments]:
        return
    _check_list(sysroot, new)
    switch = _move_links(sysroot, new) if same_entries else _switch_entries(sysroot, new)
    old_count = len(sysroot.deployments)
    sysroot.tell(_entry(sysroot, switch, len(new), old_count))
    sysroot.touch()
    with doing("Reloading deployments after commit"):
        sysroot.reload()
    if clean:
        with doing("Performing final cleanup"):
            cleanup(sysroot)


def _check_list(sysroot: Sysroot, new: Sequence[Deployment]) -> None:
    for one in new:
        if not sysroot.dir.is_dir(one.path):
            raise DeploymentError(f"Unable to find expected deployment root: {one.path}")
    booted = sysroot.booted
    if booted is not None and all(one.key != booted.key for one in new):
        raise DeploymentError("Attempting to remove booted deployment")


def _have_same_entries(sysroot: Sysroot, new: Sequence[Deployment]) -> bool:
    old = sysroot.deployments
    return len(old) == len(new) and all(
        _entry_identity(sysroot, one) == _entry_identity(sysroot, other)
        for one, other in zip(old, new, strict=True)
    )


def _entry_identity(sysroot: Sysroot, one: Deployment) -> tuple[object, ...]:
    """Return all that a boot entry depends on, apart from the deployment it leads to."""
    return (
        one.bootcsum,
        "".join(one.entry.overlay_initrds),
        KernelArgs.parse(one.options).replace("ostree").format(),
        commit_version(sysroot, one),
        one.stateroot,
    )


def _move_links(sysroot: Sysroot, new: Sequence[Deployment]) -> _Switch:
    bootversion, subbootversion = sysroot.bootversion, 1 - sysroot.subbootversion
    create_boot_links(sysroot.dir, bootversion, subbootversion, new)
    full_sync(sysroot)
    swap_boot_links(sysroot.dir, bootversion, subbootversion)
    return _Switch(bootversion, subbootversion, is_new_bootversion=False, is_atomic=True)


def _switch_entries(sysroot: Sysroot, new: tuple[Deployment, ...]) -> _Switch:
    boot = sysroot.open_boot()
    bootversion = 1 - sysroot.bootversion
    settings = read_entry_settings(sysroot.repo.config.keyfile)
    bootloader = select_bootloader(boot, settings.bootloader)
    _write_entries(sysroot, bootversion, new)
    subbootversion = 1 - read_subbootversion(sysroot.dir, bootversion)
    create_boot_links(sysroot.dir, bootversion, subbootversion, new)
    swap_boot_links(sysroot.dir, bootversion, subbootversion)
    context = BootContext(
        sysroot=sysroot.dir,
        path=sysroot.path,
        boot=boot,
        bootversion=bootversion,
        deployments=new,
        has_prefix=settings.has_prefix,
        is_booted=sysroot.booted is not None,
        settings=sysroot.settings,
    )
    if bootloader is not None:
        with doing("Bootloader write config"):
            bootloader.write_config(context, read_entries(sysroot.dir, bootversion))
    with doing("Preparing final bootloader swap"):
        _prepare_loader_link(boot, bootversion)
    full_sync(sysroot)
    with doing("Final bootloader swap"):
        boot.rename("loader.tmp", "loader")
        freeze_boot(sysroot)
        if bootloader is not None:
            bootloader.after_switch(context)
    return _Switch(
        bootversion,
        subbootversion,
        is_new_bootversion=True,
        is_atomic=bootloader is not None and bootloader.is_atomic,
        bootloader="none" if bootloader is None else bootloader.name,
    )


def _write_entries(sysroot: Sysroot, bootversion: int, new: tuple[Deployment, ...]) -> None:
    boot = sysroot.open_boot()
    path = f"loader.{bootversion}/entries"
    boot.remove_tree(path)
    boot.make_dirs(path, 0o755)
    writer = EntryWriter(sysroot, bootversion, new)
    for index in range(len(new)):
        writer.write(index)


def _prepare_loader_link(boot: Dir, bootversion: int) -> None:
    if not boot.exists("boot"):
        boot.symlink(".", "boot")  # so that paths with and without /boot in front both work
    boot.replace_symlink(f"loader.{bootversion}", "loader.tmp")


def _entry(sysroot: Sysroot, switch: _Switch, count: int, old_count: int) -> JournalEntry:
    """Return the message that announces the new list."""
    done = not switch.is_new_bootversion or switch.is_atomic
    did_swap = _yes_or_no(switch.is_new_bootversion)
    return JournalEntry(
        f"{'Transaction complete' if done else 'Bootloader updated'}; "
        f"bootconfig swap: {did_swap}; "
        f"bootversion: boot.{switch.bootversion}.{switch.subbootversion}, "
        f"deployment count change: {count - old_count}",
        _MESSAGE_ID,
        fields={
            "OSTREE_BOOTLOADER": switch.bootloader,
            "OSTREE_BOOTLOADER_CONFIG": read_entry_settings(sysroot.repo.config.keyfile).bootloader,
            "OSTREE_BOOTLOADER_ATOMIC": _yes_or_no(switch.is_atomic),
            "OSTREE_DID_BOOTSWAP": did_swap,
            "OSTREE_N_DEPLOYMENTS": str(count),
        },
    )


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
