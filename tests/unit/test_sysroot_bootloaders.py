"""Boot loaders: a contract that every back end keeps, and what each of them writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import FormatError, OstreeError, UnsupportedError
from pyostree.formats.bls import BootEntry
from pyostree.fs.dir import Dir
from pyostree.sysroot import SysrootSettings
from pyostree.sysroot.bootloaders import Bootloader, select_bootloader
from pyostree.sysroot.bootloaders.base import BootContext, join_lines
from pyostree.sysroot.bootloaders.grub2 import Grub2
from pyostree.sysroot.bootloaders.syslinux import Syslinux
from pyostree.sysroot.bootloaders.uboot import UBoot

LINK = "ostree/boot.1/testos/B/0"
ENTRIES = (
    BootEntry(
        (
            ("title", "TestOS (ostree:0)"),
            ("linux", "/ostree/testos-B/vmlinuz"),
            ("initrd", "/ostree/testos-B/initramfs.img"),
            ("fdtdir", "/ostree/testos-B/dtb"),
            ("options", f"quiet ostree=/{LINK}"),
        )
    ),
    BootEntry(
        (
            ("title", "TestOS (ostree:1)"),
            ("linux", "/ostree/testos-C/vmlinuz"),
            ("devicetree", "/ostree/testos-C/devicetree"),
            ("options", "ostree=/ostree/boot.1/testos/C/0"),
        )
    ),
)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[BootContext]:
    """A new boot configuration beside the current one."""
    for name in ("boot/loader.0", "boot/loader.1/entries", "boot/syslinux", "boot/grub2", LINK):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "boot/loader").symlink_to("loader.0")
    generator = tmp_path / "generator"
    generator.write_text("#!/bin/sh\necho V=$_OSTREE_GRUB2_BOOTVERSION > $2\n")
    generator.chmod(0o755)
    with Dir.at(tmp_path) as sysroot, Dir.at(tmp_path / "boot") as boot:
        yield BootContext(
            sysroot=sysroot,
            path=str(tmp_path),
            boot=boot,
            bootversion=1,
            deployments=(),
            has_prefix=False,
            is_booted=False,
            settings=SysrootSettings(grub2_exec=str(generator)),
        )


class BootloaderContract:
    """What every back end does."""

    bootloader: Bootloader
    config_name: str  # as created by an installer
    config_target: str
    written_name: str

    def install(self, context: BootContext) -> None:
        path = Path(context.path, "boot", self.config_name)
        if not path.exists():
            path.symlink_to(self.config_target)
        Path(context.path, "boot/loader.0", self.written_name).touch()

    def test_find_nothing_installed_is_none(self, context: BootContext) -> None:
        assert self.bootloader.find(context.boot) is None

    def test_find_dangling_link_counts(self, context: BootContext) -> None:
        self.install(context)
        Path(context.path, "boot/loader.0", self.written_name).unlink()
        if not Path(context.path, "boot", self.config_name).is_symlink():
            Path(context.path, "boot", self.config_name).symlink_to("nowhere")
        assert self.bootloader.find(context.boot) is not None

    def test_selected_when_installed(self, context: BootContext) -> None:
        self.install(context)
        found = select_bootloader(context.boot, "auto")
        assert found is not None
        assert found.name == self.bootloader.name

    def test_write_config_touches_the_new_configuration_only(self, context: BootContext) -> None:
        self.install(context)
        self.bootloader.write_config(context, ENTRIES)
        assert Path(context.path, "boot/loader.1", self.written_name).read_bytes()
        assert Path(context.path, "boot/loader.0", self.written_name).read_bytes() == b""
        assert os.readlink(Path(context.path, "boot/loader")) == "loader.0"
        names = sorted(path.name for path in Path(context.path, "boot/loader.1").iterdir())
        assert names == sorted(["entries", self.written_name])

    def test_atomic_means_nothing_left_to_do(self, context: BootContext) -> None:
        self.install(context)
        self.bootloader.write_config(context, ENTRIES)
        before = sorted(Path(context.path).rglob("*"))
        assert self.bootloader.is_atomic
        self.bootloader.after_switch(context)
        assert sorted(Path(context.path).rglob("*")) == before


class TestUBoot(BootloaderContract):
    bootloader = UBoot()
    config_name = "uEnv.txt"
    config_target = "loader/uEnv.txt"
    written_name = "uEnv.txt"

    def test_find_dangling_link_counts(self, context: BootContext) -> None:
        Path(context.path, "boot/loader.0/uEnv.txt").symlink_to("nowhere")
        assert self.bootloader.find(context.boot) is not None

    def written(self, context: BootContext) -> str:
        self.install(context)
        self.bootloader.write_config(context, ENTRIES)
        return Path(context.path, "boot/loader.1/uEnv.txt").read_text()

    def test_write_config_numbers_fallback_entries(self, context: BootContext) -> None:
        assert self.written(context) == (
            "kernel_image=/boot/ostree/testos-B/vmlinuz\n"
            "ramdisk_image=/boot/ostree/testos-B/initramfs.img\n"
            "fdtdir=/boot/ostree/testos-B/dtb\n"
            f"bootargs=quiet ostree=/{LINK}\n"
            "kernel_image2=/boot/ostree/testos-C/vmlinuz\n"
            "fdt_file2=/boot/ostree/testos-C/devicetree\n"
            "bootargs2=ostree=/ostree/boot.1/testos/C/0\n"
        )

    def test_write_config_adds_the_default_deployments_lines(self, context: BootContext) -> None:
        own = Path(context.path, LINK, "usr/lib/ostree-boot/uEnv.txt")
        own.parent.mkdir(parents=True)
        own.write_text("a=1\nb=2\n")
        lines = self.written(context).splitlines()
        assert lines[3:8] == [f"bootargs=quiet ostree=/{LINK}", "a=1", "b=2", "", lines[7]]
        assert lines[7].startswith("kernel_image2=")

    def test_write_config_link_out_of_the_deployment_adds_nothing(
        self, context: BootContext
    ) -> None:
        secret = Path(context.path, "secret")
        secret.write_text("of the host")
        own = Path(context.path, LINK, "usr/lib/ostree-boot/uEnv.txt")
        own.parent.mkdir(parents=True)
        own.symlink_to(secret)
        assert "host" not in self.written(context)

    def test_write_config_no_kernel(self, context: BootContext) -> None:
        self.install(context)
        with pytest.raises(FormatError, match='No "linux" key in bootloader config'):
            self.bootloader.write_config(context, [BootEntry((("options", "x"),))])

    def test_write_config_not_installed(self, context: BootContext) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            self.bootloader.write_config(context, ENTRIES)
        assert caught.value.__notes__ == ["openat(boot/loader/uEnv.txt)"]


class TestSyslinux(BootloaderContract):
    bootloader = Syslinux()
    config_name = "syslinux/syslinux.cfg"
    config_target = "../loader/syslinux.cfg"
    written_name = "syslinux.cfg"

    def written(self, context: BootContext, old: str = "") -> str:
        self.install(context)
        Path(context.path, "boot/loader.0/syslinux.cfg").write_text(old)
        self.bootloader.write_config(context, ENTRIES)
        return Path(context.path, "boot/loader.1/syslinux.cfg").read_text()

    def test_write_config_sections_in_boot_order(self, context: BootContext) -> None:
        assert self.written(context) == (
            "DEFAULT TestOS (ostree:0)\n"
            "LABEL TestOS (ostree:0)\n"
            "\tKERNEL /boot/ostree/testos-B/vmlinuz\n"
            "\tINITRD /boot/ostree/testos-B/initramfs.img\n"
            f"\tAPPEND quiet ostree=/{LINK}\n"
            "LABEL TestOS (ostree:1)\n"
            "\tKERNEL /boot/ostree/testos-C/vmlinuz\n"
            "\tDEVICETREE /boot/ostree/testos-C/devicetree\n"
            "\tAPPEND ostree=/ostree/boot.1/testos/C/0\n"
        )

    def test_write_config_replaces_ours_keeps_foreign(self, context: BootContext) -> None:
        old = (
            "TIMEOUT 5\n\nDEFAULT TestOS (ostree:0)\n"
            "LABEL old\n\tKERNEL /ostree/testos-A/vmlinuz\n\tAPPEND x\n"
            "LABEL memtest\n\tKERNEL /memtest\n"
            "LABEL disk\n\tLOCALBOOT 0\n"
        )
        text = self.written(context, old)
        assert text.startswith("TIMEOUT 5\n\nLABEL memtest\n\tKERNEL /memtest\nLABEL disk\n")
        assert "testos-A" not in text
        assert text.count("DEFAULT ") == 1

    def test_write_config_foreign_default_stays(self, context: BootContext) -> None:
        text = self.written(context, "DEFAULT memtest\nLABEL memtest\n\tKERNEL /memtest\n")
        assert text.startswith("DEFAULT memtest\n")
        assert text.count("DEFAULT ") == 1


class TestGrub2(BootloaderContract):
    bootloader = Grub2()
    config_name = "grub2/grub.cfg"
    config_target = "../loader/grub.cfg"
    written_name = "grub.cfg"

    def test_write_config_runs_the_program_for_the_new_bootversion(
        self, context: BootContext
    ) -> None:
        self.bootloader.write_config(context, ENTRIES)
        assert Path(context.path, "boot/loader.1/grub.cfg").read_text() == "V=1\n"

    def test_write_config_program_fails(self, context: BootContext) -> None:
        failing = context._replace(settings=SysrootSettings(grub2_exec="false"))
        with pytest.raises(OstreeError, match="false: Child process exited with code 1"):
            self.bootloader.write_config(failing, ENTRIES)

    def test_write_config_program_missing(self, context: BootContext) -> None:
        failing = context._replace(settings=SysrootSettings(grub2_exec="/nowhere"))
        with pytest.raises(OstreeError, match="Failed to execute child process “/nowhere”"):
            self.bootloader.write_config(failing, ENTRIES)

    def test_find_static_configuration_is_none(self, context: BootContext) -> None:
        self.install(context)
        state = Path(context.path, "boot/bootupd-state.json")
        state.write_text('{"static-configs":{}}')
        assert self.bootloader.find(context.boot) is None
        state.write_text('{"static-configs":null}')
        assert self.bootloader.find(context.boot) is not None

    def test_efi_replaces_the_file_and_keeps_the_old_one(self, context: BootContext) -> None:
        vendor = Path(context.path, "boot/efi/EFI/debian")
        vendor.mkdir(parents=True)
        (vendor / "grub.cfg").write_text("old")
        found = self.bootloader.find(context.boot)
        assert found is not None
        assert not found.is_atomic
        found.write_config(context, ENTRIES)
        assert (vendor / "grub.cfg").read_text() == "V=1\n"
        assert (vendor / "grub.cfg.old").read_text() == "old"


def test_select_bootloader_none_and_unknown(context: BootContext) -> None:
    assert select_bootloader(context.boot, "none") is None
    assert select_bootloader(context.boot, "auto") is None
    assert isinstance(select_bootloader(context.boot, "uboot"), UBoot)
    with pytest.raises(UnsupportedError):
        select_bootloader(context.boot, "zipl")


def test_join_lines_one_empty_line_survives() -> None:
    assert join_lines(["", "a", "", "", "b", ""]) == b"a\n\nb\n"
