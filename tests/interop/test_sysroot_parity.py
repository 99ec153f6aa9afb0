"""The same ``admin`` commands by ours and by the C implementation give the same sysroot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sysroot_lab import (
    KVER,
    REFSPEC,
    VARS,
    Lab,
    admin,
    empty,
    fail,
    neutral,
    run,
    scratch,
    snapshot,
)


class Twins:
    """Two sysroots that get the same commands, and are compared after each.

    Args:
        commands: by which each is treated; alternating ones test that each works on top of the
            other's.
    """

    def __init__(self, lab: Lab, commands: tuple[list[Path], list[Path]], bootloader: str) -> None:
        self.lab = lab
        self._commands = commands
        self._turn = 0
        self.sysroots = tuple(
            lab.make_sysroot(f"sysroot{number}", own[0], bootloader=bootloader)
            for number, own in enumerate(commands)
        )
        for sysroot in self.sysroots:  # before 2024 os-init did this
            empty(sysroot / "ostree/deploy/testos/var")
        self.compare()

    def _pick(self) -> list[Path]:
        picked = [own[self._turn % len(own)] for own in self._commands]
        self._turn += 1
        return picked

    def pull(self) -> None:
        for sysroot in self.sysroots:
            self.lab.pull(sysroot)

    def admin(self, *arguments: str) -> str:
        """Run a command on both; what it prints and leaves must be equal."""
        outputs = [
            admin(command, sysroot, *arguments)
            for command, sysroot in zip(self._pick(), self.sysroots, strict=True)
        ]
        outputs = [neutral(output) for output in outputs]
        assert outputs[0] == outputs[1]
        self.compare()
        return outputs[0]

    def fail(self, *arguments: str) -> None:
        """Run a command that must fail on both, for the same reason."""
        word, *others = arguments
        errors = [
            fail(command, "admin", word, f"--sysroot={sysroot}", *others)
            for command, sysroot in zip(self._pick(), self.sysroots, strict=True)
        ]
        # Newer versions name more of the steps on the way.
        reason = errors[1].removeprefix("error: ").removeprefix("loading sysroot: ")
        assert errors[0].endswith(reason)

    def deploy(self, *arguments: str) -> str:
        return self.admin("deploy", "--os=testos", *arguments, REFSPEC)

    def edit(self, change: Callable[[Path], object]) -> None:
        """Change the ``/etc`` of the default deployment."""
        for sysroot in self.sysroots:
            change(self.root(sysroot) / "etc")

    def root(self, sysroot: Path) -> Path:
        """Return the root of the default deployment."""
        command = self._commands[0][0]
        return Path(run(command, "admin", f"--sysroot={sysroot}", "--print-current-dir").strip())

    def compare(self) -> None:
        one, other = (snapshot(sysroot, skip=VARS) for sysroot in self.sysroots)
        assert one.keys() == other.keys()
        for path, entry in one.items():
            assert entry == other[path], path


MakeTwins = Callable[..., Twins]


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory."""
    with scratch() as path:
        yield path


@pytest.fixture
def make_apart(place: Path, ostree: Path, reference: Path) -> MakeTwins:
    """Make twins, one treated by ours only."""

    def make(bootloader: str = "uboot") -> Twins:
        lab = Lab(place, reference)
        lab.commit()
        return Twins(lab, ([ostree], [reference]), bootloader)

    return make


@pytest.fixture(params=["apart", "mixed"])
def make_twins(
    request: pytest.FixtureRequest, place: Path, ostree: Path, reference: Path
) -> MakeTwins:
    """Make twins, one treated by ours only, or by ours and the reference in turns."""

    def make(bootloader: str = "uboot") -> Twins:
        lab = Lab(place, reference)
        lab.commit()
        ours = [ostree] if request.param == "apart" else [ostree, reference, ostree]
        return Twins(lab, (ours, [reference]), bootloader)

    return make


@pytest.mark.parametrize("bootloader", ["uboot", "syslinux", "none"])
def test_deploy_repeatedly_same_sysroot(make_twins: MakeTwins, bootloader: str) -> None:
    twins = make_twins(bootloader)
    twins.pull()
    twins.deploy("--karg=root=LABEL=MOO", "--karg=quiet")
    twins.deploy()
    twins.deploy()
    twins.admin("os-init", "otheros")
    twins.admin("deploy", "--os=otheros", "testos/main")
    twins.deploy("--retain")
    twins.lab.write_tree({f"usr/lib/modules/{KVER}/vmlinuz": "new kernel"})
    twins.lab.commit("2.0")
    twins.pull()
    twins.deploy("--karg-append=console=tty0", "--karg-append=console=ttyS0")
    twins.deploy("--not-as-default", "--retain-pending")
    twins.deploy("--retain-rollback", "--karg-delete=console=tty0")
    twins.deploy("--no-merge", "--no-prune", "--karg=a=b")
    twins.admin("status")
    twins.admin("undeploy", "1")
    twins.admin("cleanup")
    while "No deployments." not in twins.admin("status"):
        twins.admin("undeploy", "0")


KERNELS = {
    "no initramfs": {f"usr/lib/modules/{KVER}/initramfs.img": None},
    "device tree": {f"usr/lib/modules/{KVER}/devicetree": "dtb"},
    "device trees": {
        f"usr/lib/modules/{KVER}/dtb/board.dtb": "one",
        f"usr/lib/modules/{KVER}/dtb/overlays/over.dtbo": "two",
        f"usr/lib/modules/{KVER}/dtb/a/b.dtb": "three",
    },
    "own U-Boot variables": {"usr/lib/ostree-boot/uEnv.txt": "a=b\nloadfdt=load mmc\n"},
    "plain initramfs name": {
        f"usr/lib/modules/{KVER}/initramfs.img": None,
        f"usr/lib/modules/{KVER}/initramfs": "other",
    },
}


@pytest.mark.parametrize("files", KERNELS.values(), ids=KERNELS.keys())
def test_deploy_kernel_layout_same_boot_files(
    make_twins: MakeTwins, files: dict[str, str | None]
) -> None:
    twins = make_twins()
    twins.pull()
    twins.deploy("--karg=quiet")
    twins.lab.write_tree(files)
    twins.lab.commit("2")
    twins.pull()
    twins.deploy()
    twins.deploy("--karg=a=b")


@pytest.mark.parametrize("directory", ["usr/lib/ostree-boot", "boot"])
def test_deploy_old_kernel_layout_same_boot_files(make_apart: MakeTwins, directory: str) -> None:
    twins = make_apart()
    checksum = "12" * 32
    modules = f"usr/lib/modules/{KVER}"
    twins.lab.write_tree(
        {
            f"{modules}/vmlinuz": None,
            f"{modules}/initramfs.img": None,
            f"{directory}/vmlinuz-1.2-{checksum}": "k",
            f"{directory}/initramfs-1.2.img-{checksum}": "i",
            f"{directory}/devicetree-{checksum}": "d",
            f"{directory}/README": "no kernel",
        }
    )
    twins.lab.commit()
    twins.pull()
    twins.deploy()


def _edit_all(etc: Path) -> None:
    (etc / "aconfigfile").write_text("edited")
    (etc / "NetworkManager").chmod(0o700)
    (etc / "NetworkManager/own.conf").write_text("added")
    (etc / "testdirectory/test").unlink()
    (etc / "testdirectory").rmdir()
    (etc / "link").symlink_to("/nowhere")
    (etc / "deep/er/still").mkdir(parents=True)
    (etc / "deep").chmod(0o1777)
    (etc / "deep/er/file").write_text("x")
    (etc / "deep/er/file").chmod(0o4755)
    os.mkfifo(etc / "fifo")
    if os.geteuid() == 0:
        os.chown(etc / "deep/er/file", 12, 34)
        os.chown(etc / "link", 56, 78, follow_symlinks=False)
        (etc / "deep/er/file").chmod(0o4755)
    os.setxattr(etc / "deep/er/file", "user.test", b"value")
    os.setxattr(etc / "deep/er", "user.test", b"dir")
    os.setxattr(etc / "os-release", "user.test", b"is lost: only attributes changed")
    (etc / "mode").chmod(0o600)
    (etc / "to-link").unlink()
    (etc / "to-link").symlink_to("aconfigfile")
    (etc / "from-link").unlink()
    (etc / "from-link").write_text("file")
    (etc / "to-dir").unlink()
    (etc / "to-dir/sub").mkdir(parents=True)
    (etc / "to-dir/sub/file").write_text("in it")
    (etc / "to-fifo").unlink()
    os.mkfifo(etc / "to-fifo")
    (etc / "moved/file").write_text("edited, and the default has moved")
    (etc / "gone/file").write_text("edited, and the default is gone")
    (etc / "gonemode").chmod(0o711)


def test_merge_etc_every_kind_of_change_same_result(make_twins: MakeTwins) -> None:
    twins = make_twins()
    names = ("mode", "to-link", "to-dir", "to-fifo", "moved/file", "gone/file", "gonemode/file")
    twins.lab.write_tree({f"usr/etc/{name}": name for name in names})
    (twins.lab.tree / "usr/etc/from-link").symlink_to("mode")
    twins.lab.commit()
    twins.pull()
    twins.deploy()
    twins.edit(_edit_all)
    twins.lab.write_tree(
        {
            "usr/etc/aconfigfile": "new default",
            "usr/etc/testdirectory/test": "new default",
            "usr/etc/testdirectory/more": "new default",
            "usr/etc/added-by-default": "new",
            "usr/etc/moved/file": None,
            "usr/etc/gone/file": None,
            "usr/etc/gonemode/file": None,
            "usr/etc/elsewhere/other": "x",
        }
    )
    etc = twins.lab.tree / "usr/etc"
    (etc / "moved").rmdir()
    (etc / "moved").symlink_to("elsewhere")
    (etc / "gone").rmdir()
    (etc / "gonemode").rmdir()
    twins.lab.commit("2")
    twins.pull()
    twins.deploy()
    twins.deploy()


@pytest.mark.parametrize("kind", ["file to directory", "directory to file"])
def test_merge_etc_default_is_directory_fails_alike(make_apart: MakeTwins, kind: str) -> None:
    twins = make_apart()
    twins.pull()
    twins.deploy()
    if kind == "file to directory":
        twins.edit(lambda etc: (etc / "aconfigfile").write_text("edited"))
        twins.lab.write_tree({"usr/etc/aconfigfile": None, "usr/etc/aconfigfile/x": "dir"})
    else:

        def replace(etc: Path) -> None:
            (etc / "testdirectory/test").unlink()
            (etc / "testdirectory").rmdir()
            (etc / "testdirectory").write_text("a file")

        twins.edit(replace)
    twins.lab.commit("2")
    twins.pull()
    twins.fail("deploy", "--os=testos", REFSPEC)
    twins.compare()


MISTAKES = {
    "no such ref": ("deploy", "--os=testos", "nothing"),
    "no stateroot named": ("deploy", REFSPEC),
    "no such karg": ("deploy", "--os=testos", "--karg-delete=quiet=no", REFSPEC),
    "missing origin file": ("deploy", "--os=testos", "--origin-file=/nowhere", REFSPEC),
    "undeploy too far": ("undeploy", "7"),
    "stage": ("deploy", "--os=testos", "--stage", REFSPEC),
    "os-init twice": ("os-init", "testos"),
    "os-init below": ("os-init", "a/b"),
}


@pytest.mark.parametrize("arguments", MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_same_error(make_apart: MakeTwins, arguments: tuple[str, ...]) -> None:
    twins = make_apart()
    twins.pull()
    twins.deploy("--karg=quiet")
    twins.fail(*arguments)


def _rewrite_options(root: Path, options: str) -> None:
    (entry,) = (root / "boot/loader/entries").glob("*.conf")
    lines = entry.read_text().splitlines()
    entry.write_text(
        "".join(f"options {options}\n" if x.startswith("options") else f"{x}\n" for x in lines)
    )


def _relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def _make_loader_a_directory(root: Path) -> None:
    (root / "boot/loader").unlink()
    (root / "boot/loader").mkdir()


def _damage_origin(root: Path) -> None:
    (origin,) = (root / "ostree/deploy/testos/deploy").glob("*.origin")
    origin.write_text("nonsense")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "loader is a directory": _make_loader_a_directory,
    "loader points elsewhere": lambda root: _relink(root / "boot/loader", "loader.2"),
    "dangling entry": lambda root: (root / "boot/loader/entries/x").symlink_to("y"),
    "boot link points elsewhere": lambda root: _relink(root / "ostree/boot.1", "boot.1.2"),
    "boot link missing": lambda root: (root / "ostree/boot.1").unlink(),
    "no deploy directory": lambda root: (root / "ostree/deploy").rename(root / "moved"),
    "no ostree argument": lambda root: _rewrite_options(root, "quiet"),
    "bad ostree argument": lambda root: _rewrite_options(root, "ostree=/x"),
    "bad origin": _damage_origin,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_sysroot_same_error(
    make_apart: MakeTwins, damage: Callable[[Path], object]
) -> None:
    twins = make_apart()
    twins.pull()
    twins.deploy()
    for sysroot in twins.sysroots:
        damage(sysroot)
    twins.fail("status")
