"""Kernels: found in both layouts, hashed, installed into ``/boot``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyostree.errors import DeploymentError
from pyostree.fs.dir import Dir
from pyostree.sysroot.kernel import KernelLayout, find_kernel, install_kernel
from sysroot_lab import write_files

MODULES = "usr/lib/modules/3.6.0"
KERNEL = {f"{MODULES}/vmlinuz": "a kernel\n"}
INITRAMFS = {f"{MODULES}/initramfs.img": "an initramfs\n"}
DTB = {
    f"{MODULES}/dtb/asoc-board.dtb": "a device tree\n",
    f"{MODULES}/dtb/overlays/overlay.dtbo": "a device tree overlay\n",
}
SUM = "ab" * 32
OTHER = "cd" * 32


def find(root: Path, *, use_devicetree: bool = True) -> KernelLayout:
    with Dir.at(root) as deployment:
        return find_kernel(deployment, use_devicetree=use_devicetree)


BOOTCSUMS = {
    "kernel, initramfs": (
        KERNEL | INITRAMFS,
        "7bd091ad6955c0e7ef41bab65adb016275664b55efc0d10a0c8cb263da3c1e4e",
    ),
    "device trees": (
        KERNEL | INITRAMFS | DTB,
        "d1a41c1ab5daf4eb4ca7c34a9de7f7611d7ae2f9778bb7f2f2acac5f5b1fecf8",
    ),
    "device tree": (
        KERNEL | {f"{MODULES}/devicetree": "my dtb\n"},
        "470df82c133a31e49651f503a0c1cd876de0ee0b37ec2369214b40389b67f8a7",
    ),
    "what does not count": (
        KERNEL | INITRAMFS | {f"{MODULES}/.vmlinuz.hmac": "x", f"{MODULES}/aboot.img": "y"},
        "7bd091ad6955c0e7ef41bab65adb016275664b55efc0d10a0c8cb263da3c1e4e",
    ),
}


@pytest.mark.parametrize(("files", "bootcsum"), BOOTCSUMS.values(), ids=BOOTCSUMS.keys())
def test_find_kernel_bootcsum(tmp_path: Path, files: dict[str, str], bootcsum: str) -> None:
    write_files(tmp_path, files)
    assert find(tmp_path).bootcsum == bootcsum


def test_find_kernel_without_devicetree_ignores_it(tmp_path: Path) -> None:
    write_files(tmp_path, KERNEL | INITRAMFS | DTB)
    found = find(tmp_path, use_devicetree=False)
    assert found.devicetree is None
    assert found.bootcsum.startswith("7bd091ad")


def test_find_kernel_none(tmp_path: Path) -> None:
    (tmp_path / MODULES).mkdir(parents=True)
    with pytest.raises(DeploymentError, match="Failed to find kernel in /usr/lib/modules"):
        find(tmp_path)


def test_find_kernel_old_layout_with_initramfs_beats_modules_without(tmp_path: Path) -> None:
    old = {f"boot/vmlinuz-1-{SUM}": "k", f"boot/initramfs-1-{SUM}": "i"}
    write_files(tmp_path, KERNEL | old)
    assert find(tmp_path).bootcsum == SUM
    write_files(tmp_path, INITRAMFS)
    assert find(tmp_path).bootcsum != SUM


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("initramfs-1", "Mismatched kernel checksum vs initrd"),
        ("devicetree", "Mismatched kernel checksum vs device tree in tree"),
    ],
)
def test_find_kernel_old_layout_mixed(tmp_path: Path, name: str, message: str) -> None:
    write_files(tmp_path, {f"boot/vmlinuz-1-{SUM}": "k", f"boot/{name}-{OTHER}": "x"})
    with pytest.raises(DeploymentError, match=message):
        find(tmp_path)


def test_find_kernel_link_out_of_the_tree_is_none(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    root = tmp_path / "root"
    (root / MODULES).mkdir(parents=True)
    (root / MODULES / "vmlinuz").symlink_to(secret)
    with pytest.raises(DeploymentError, match="Failed to find kernel"):
        find(root)


def test_find_kernel_link_loop_in_device_trees_ends(tmp_path: Path) -> None:
    write_files(tmp_path, KERNEL | INITRAMFS | DTB)
    expected = find(tmp_path).bootcsum
    (tmp_path / MODULES / "dtb/again").symlink_to(".")
    assert find(tmp_path).bootcsum == expected


def test_install_kernel_links_and_keeps_what_is_there(tmp_path: Path) -> None:
    write_files(tmp_path / "root", KERNEL | INITRAMFS | DTB)
    target = tmp_path / "boot"
    target.mkdir()
    (target / "vmlinuz-3.6.0").write_text("already there")
    with Dir.at(tmp_path / "root") as root, Dir.at(target) as boot:
        install_kernel(root, find_kernel(root), boot)
    assert (target / "vmlinuz-3.6.0").read_text() == "already there"
    assert (target / "initramfs-3.6.0.img").stat().st_nlink == 2
    assert (target / "dtb/overlays/overlay.dtbo").stat().st_nlink == 1


def test_install_kernel_link_in_tree_copies_its_target(tmp_path: Path) -> None:
    write_files(tmp_path / "root", {f"{MODULES}/real": "the kernel"})
    (tmp_path / "root" / MODULES / "vmlinuz").symlink_to("real")
    target = tmp_path / "boot"
    target.mkdir()
    with Dir.at(tmp_path / "root") as root, Dir.at(target) as boot:
        install_kernel(root, find_kernel(root), boot)
    assert not (target / "vmlinuz-3.6.0").is_symlink()
    assert (target / "vmlinuz-3.6.0").read_text() == "the kernel"


def test_install_kernel_other_file_system_copies_with_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path / "root", KERNEL)
    (tmp_path / "root" / MODULES / "vmlinuz").chmod(0o640)
    target = tmp_path / "boot"
    target.mkdir()

    def link(*_args: object, **_options: object) -> None:
        raise OSError(18, os.strerror(18))

    monkeypatch.setattr(os, "link", link)
    with Dir.at(tmp_path / "root") as root, Dir.at(target) as boot:
        install_kernel(root, find_kernel(root), boot)
    copy = target / "vmlinuz-3.6.0"
    assert copy.read_text() == "a kernel\n"
    assert copy.stat().st_mode & 0o7777 == 0o640
    assert [path.name for path in target.iterdir()] == ["vmlinuz-3.6.0"]
