"""Kernels: where a deployment keeps its kernel, the checksum that names it, its way into ``/boot``.

Two layouts exist. Today all files of a kernel lie in ``usr/lib/modules/VERSION``, and the boot
checksum is computed from them. In the older one they lie in ``usr/lib/ostree-boot`` or ``boot`` and
carry their checksum in the name::

    usr/lib/modules/6.1.0/vmlinuz                    boot/vmlinuz-6.1.0-CHECKSUM
    usr/lib/modules/6.1.0/initramfs.img              boot/initramfs-6.1.0.img-CHECKSUM
    usr/lib/modules/6.1.0/devicetree, or dtb/        boot/devicetree-6.1.0-CHECKSUM
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat as stat_bits
from collections.abc import Iterator
from typing import NamedTuple

from pyostree.errors import DeploymentError
from pyostree.formats.objects import is_checksum
from pyostree.fs.copy import copy_dir_metadata, replace_with_copy
from pyostree.fs.dir import Dir
from pyostree.fs.resolve import (
    is_dir_in_root,
    is_file_in_root,
    open_dir_in_root,
    open_file_in_root,
)

_MODULES = "usr/lib/modules"
_OLD_DIRS = ("usr/lib/ostree-boot", "boot")
_CHUNK = 1 << 20


class KernelFile(NamedTuple):
    """One file or directory of a kernel: its path in the deployment, its name in ``/boot``."""

    path: str
    name: str


class KernelLayout(NamedTuple):
    """The files of a deployment's kernel.

    Attributes:
        bootcsum: checksum that names the set of files, 64 hex digits.
        devicetree: a file, or a directory if `devicetree_is_dir`.
        aboot: Android boot image.
    """

    bootcsum: str
    kernel: KernelFile
    initramfs: KernelFile | None = None
    devicetree: KernelFile | None = None
    devicetree_is_dir: bool = False
    hmac: KernelFile | None = None
    aboot: KernelFile | None = None

    def files(self) -> tuple[KernelFile, ...]:
        """Return all that is there, a directory included."""
        found = (self.kernel, self.initramfs, self.devicetree, self.hmac, self.aboot)
        return tuple(file for file in found if file is not None)


def find_kernel(deployment: Dir, *, use_devicetree: bool = True) -> KernelLayout:
    """Return the kernel of a deployment.

    Raises:
        DeploymentError: there is none, or its files belong to different kernels.
    """
    modules = _find_in_modules(deployment, use_devicetree=use_devicetree)
    old = _find_in_old_layout(deployment)
    if old is not None and (modules is None or (modules.initramfs is None and old.initramfs)):
        return old
    if modules is None:
        raise DeploymentError(
            "Failed to find kernel in /usr/lib/modules, /usr/lib/ostree-boot or /boot"
        )
    return modules


def _find_in_modules(deployment: Dir, *, use_devicetree: bool) -> KernelLayout | None:
    if not is_dir_in_root(deployment, _MODULES):
        return None
    with open_dir_in_root(deployment, _MODULES) as modules:
        for entry in modules.scan():
            if entry.is_dir(follow_symlinks=False) and is_file_in_root(
                deployment, f"{_MODULES}/{entry.name}/vmlinuz"
            ):
                return _describe_modules(deployment, entry.name, use_devicetree=use_devicetree)
    return None


def _describe_modules(deployment: Dir, version: str, *, use_devicetree: bool) -> KernelLayout:
    def file(name: str, to_name: str) -> KernelFile | None:
        path = f"{_MODULES}/{version}/{name}"
        found = is_file_in_root(deployment, path)
        return KernelFile(path=path, name=to_name) if found else None

    kernel = file("vmlinuz", f"vmlinuz-{version}")
    assert kernel is not None
    to_name = f"initramfs-{version}.img"
    initramfs = file("initramfs.img", to_name) or file("initramfs", to_name)
    devicetree, is_dir = None, False
    if use_devicetree:
        devicetree = file("devicetree", f"devicetree-{version}")
        dtb = KernelFile(path=f"{_MODULES}/{version}/dtb", name="dtb")
        if devicetree is None and is_dir_in_root(deployment, dtb.path):
            devicetree, is_dir = dtb, True
    hashed = [file.path for file in (kernel, initramfs, devicetree) if file is not None]
    return KernelLayout(
        bootcsum=_hash_contents(deployment, hashed),
        kernel=kernel,
        initramfs=initramfs,
        devicetree=devicetree,
        devicetree_is_dir=is_dir,
        hmac=file(".vmlinuz.hmac", f".vmlinuz-{version}.hmac"),
        aboot=file("aboot.img", f"aboot-{version}.img"),
    )


def _hash_contents(deployment: Dir, paths: list[str]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        for file in _iter_files(deployment, path):
            fd = open_file_in_root(deployment, file)
            try:
                while chunk := os.read(fd, _CHUNK):
                    digest.update(chunk)
            finally:
                os.close(fd)
    return digest.hexdigest()


def _iter_files(deployment: Dir, path: str) -> Iterator[str]:
    """Yield `path`, or all files below it if it is a directory, each level sorted by name.

    A link counts as the file it leads to; one to a directory is no way down, it may be a loop.
    """
    if is_file_in_root(deployment, path):
        yield path
        return
    stack = [path]
    while stack:
        current = stack.pop()
        base, _, name = current.rpartition("/")
        with open_dir_in_root(deployment, base) as parent:
            is_dir = parent.is_dir(name, follow=current == path)
        if is_dir:
            with open_dir_in_root(deployment, current) as below:
                names = sorted(below.list(), key=os.fsencode)
            stack += [f"{current}/{name}" for name in reversed(names)]
        elif is_file_in_root(deployment, current):
            yield current


def _find_in_old_layout(deployment: Dir) -> KernelLayout | None:
    base = next((path for path in _OLD_DIRS if is_dir_in_root(deployment, path)), None)
    if base is None:
        return None
    found: dict[str, tuple[KernelFile, str]] = {}
    with open_dir_in_root(deployment, base) as directory:
        for entry in directory.scan():
            stem, _, checksum = entry.name.rpartition("-")
            kind = next((k for k in _OLD_NAMES if entry.name.startswith(f"{k}-")), None)
            if kind and kind not in found and is_checksum(checksum):
                file = KernelFile(path=f"{base}/{entry.name}", name=stem)
                found[kind] = file, checksum
    if "vmlinuz" not in found:
        return None
    kernel, bootcsum = found["vmlinuz"]
    for kind, complaint in _OLD_NAMES.items():
        if kind in found and found[kind][1] != bootcsum:
            raise DeploymentError(complaint)
    return KernelLayout(
        bootcsum=bootcsum,
        kernel=kernel,
        initramfs=found["initramfs"][0] if "initramfs" in found else None,
        devicetree=found["devicetree"][0] if "devicetree" in found else None,
    )


_OLD_NAMES = {
    "vmlinuz": "",
    "initramfs": "Mismatched kernel checksum vs initrd",
    "devicetree": "Mismatched kernel checksum vs device tree in tree",
}


def install_kernel(deployment: Dir, layout: KernelLayout, target: Dir) -> None:
    """Put the files of a kernel into its directory below ``/boot``, those that are not there yet.

    A hard link is tried first: ``/boot`` may be a plain directory of the same file system.
    """
    for file in layout.files():
        if file is layout.devicetree and layout.devicetree_is_dir:
            _copy_tree(deployment, file.path, target, file.name)
        elif not target.exists(file.name):
            _link_or_copy(deployment, file, target)


def _link_or_copy(deployment: Dir, file: KernelFile, target: Dir) -> None:
    base, _, name = file.path.rpartition("/")
    with open_dir_in_root(deployment, base) as source:
        try:
            # The reference would link a link itself, but a boot loader cannot follow one that
            # leads out of /boot: copy what it points to.
            if not source.is_file(name, follow=False):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            source.link(name, target, file.name)
        except OSError as err:
            if err.errno not in (errno.EMLINK, errno.EXDEV):
                err.add_note(f"linkat({file.name})")
                raise
            _copy_out(deployment, file.path, target, file.name)


def _copy_out(deployment: Dir, path: str, target: Dir, name: str) -> None:
    fd = open_file_in_root(deployment, path)
    try:
        replace_with_copy(fd, target, name)
    finally:
        os.close(fd)


def _copy_tree(deployment: Dir, path: str, target: Dir, name: str) -> None:
    stack = [(path, name)]
    while stack:
        from_path, to_path = stack.pop()
        target.make_dir(to_path, 0o755, exist_ok=True)
        with open_dir_in_root(deployment, from_path) as below, target.open_dir(to_path) as copy:
            copy_dir_metadata(below, copy, xattrs=False)
            for entry in below.list():
                mode = below.stat(entry).st_mode
                if stat_bits.S_ISDIR(mode):
                    stack.append((f"{from_path}/{entry}", f"{to_path}/{entry}"))
                elif stat_bits.S_ISLNK(mode):
                    copy.replace_symlink(below.read_link(entry), entry)
                else:
                    _copy_out(deployment, f"{from_path}/{entry}", copy, entry)
