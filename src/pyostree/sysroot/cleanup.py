"""Removing what no deployment uses: boot configurations, deployments, kernels, refs, objects."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pyostree.errors import doing
from pyostree.formats.objects import is_checksum
from pyostree.formats.refspec import Refspec
from pyostree.formats.sizes import format_size
from pyostree.fs.dir import Dir
from pyostree.fs.journal import note_journal
from pyostree.fs.kernel import set_immutable
from pyostree.repo.prune import PruneOptions, prune
from pyostree.sysroot.deployment import parse_deployment_name
from pyostree.sysroot.sysroot import Sysroot

_OVERLAYS = "ostree/initramfs-overlays"


def cleanup(sysroot: Sysroot) -> None:
    """Remove all that the current deployments do not use, objects of the repository included."""
    prepare_cleanup(sysroot)
    with doing("Pruning system repository"):
        # The deployed commits have refs by now.
        result = prune(sysroot.repo, PruneOptions(refs_only=True, depth=0))
    if result.freed_bytes:
        note_journal(f"Freed objects: {format_size(result.freed_bytes)}")


def prepare_cleanup(sysroot: Sysroot) -> None:
    """Remove what the current deployments do not use, but no objects."""
    sysroot.ensure_writable()
    with doing("Cleaning bootversions"):
        _clean_bootversions(sysroot)
    with doing("Cleaning deployments"):
        _clean_deployments(sysroot)
    if sysroot.dir.exists("boot"):
        with doing("Cleaning bootfs"):
            _clean_boot(sysroot)
    with doing("Generating deployment refs"):
        _write_refs(sysroot)


def _clean_bootversions(sysroot: Sysroot) -> None:
    other, other_sub = 1 - sysroot.bootversion, 1 - sysroot.subbootversion
    names = (
        f"boot/loader.{other}",
        f"ostree/boot.{other}",
        f"ostree/boot.{other}.0",
        f"ostree/boot.{other}.1",
        f"ostree/boot.{sysroot.bootversion}.{other_sub}",
    )
    for name in names:
        sysroot.dir.remove_tree(name)


def _clean_deployments(sysroot: Sysroot) -> None:
    wanted = {(one.stateroot, one.name) for one in sysroot.deployments}
    with Dir.at("/") as root:
        running = _identity(root.stat_self())
    with sysroot.dir.open_dir("ostree/deploy") as stateroots:
        for name in stateroots.list():
            if not stateroots.is_dir(name, follow=False):
                continue
            with stateroots.open_dir(name, follow=False) as stateroot:
                for found in list(_deployment_names(stateroot)):
                    if (name, found) not in wanted:
                        _remove_deployment(stateroot, found, running)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _deployment_names(stateroot: Dir) -> Iterator[str]:
    if not stateroot.is_dir("deploy", follow=False):
        return
    with stateroot.open_dir("deploy", follow=False) as deployments:
        for entry in deployments.scan():
            if entry.is_dir(follow_symlinks=False):
                parse_deployment_name(entry.name)
                yield entry.name


def _remove_deployment(stateroot: Dir, name: str, running: tuple[int, int]) -> None:
    with stateroot.open_dir("deploy", follow=False) as deployments:
        with deployments.open_dir(name, follow=False) as root:
            if _identity(root.stat_self()) == running:
                return
            set_immutable(root, False)
        stateroot.remove_tree(f"backing/{name}")
        deployments.remove(f"{name}.origin", missing_ok=True)
        deployments.remove_tree(name)


def _clean_boot(sysroot: Sysroot) -> None:
    boot = sysroot.open_boot()
    used = {one.bootcsum for one in sysroot.deployments}
    if boot.is_dir("ostree", follow=False):
        with boot.open_dir("ostree") as kernels:
            for name in kernels.list():
                _, dash, bootcsum = name.rpartition("-")
                is_kernel = bool(dash) and is_checksum(bootcsum)
                if is_kernel and bootcsum not in used and kernels.is_dir(name, follow=False):
                    kernels.remove_tree(name)
    if boot.is_dir(_OVERLAYS, follow=False):
        overlays = {
            os.path.basename(path)
            for one in sysroot.deployments
            for path in one.entry.overlay_initrds
        }
        with boot.open_dir(_OVERLAYS) as directory:
            for name in directory.list():
                if name not in overlays:
                    directory.remove_tree(name)


def _write_refs(sysroot: Sysroot) -> None:
    """Let refs hold the commits of all deployments: ``ostree/V/S/INDEX``."""
    base = f"ostree/{sysroot.bootversion}/{sysroot.subbootversion}"
    wanted = {f"{base}/{index}": one.checksum for index, one in enumerate(sysroot.deployments)}
    repo = sysroot.repo
    with repo.transaction() as transaction:
        for bootversion in (0, 1):
            for subbootversion in (0, 1):
                prefix = f"ostree/{bootversion}/{subbootversion}"
                for name in repo.refs.list(prefix):
                    if name not in wanted:
                        transaction.set_ref(Refspec(None, name), None)
        for name, checksum in wanted.items():
            transaction.set_ref(Refspec(None, name), checksum)
