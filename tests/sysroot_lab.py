"""Builders and snapshots for tests of sysroots: small operating systems for both commands."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

BRANCH = "testos/main"
REFSPEC = f"testos:{BRANCH}"
KVER = "3.6.0"
# Directories of the repository whose content is not part of a sysroot's state.
_SKIPPED = ("ostree/repo/objects", "ostree/repo/tmp", "ostree/repo/state", "ostree/repo/.lock")

OS_FILES: dict[str, str] = {
    "usr/bin/sh": "an executable",
    "usr/share/langs.txt": "some shared data",
    f"usr/lib/modules/{KVER}/vmlinuz": "a kernel\n",
    f"usr/lib/modules/{KVER}/initramfs.img": "an initramfs\n",
    f"usr/lib/modules/{KVER}/.vmlinuz.hmac": "an hmac file\n",
    "usr/etc/os-release": 'NAME=TestOS\nID=testos\nPRETTY_NAME="TestOS 42"\n',
    "usr/etc/aconfigfile": "a config file\n",
    "usr/etc/NetworkManager/nm.conf": "a default daemon file\n",
    "usr/etc/testdirectory/test": "a default daemon file\n",
}


# Filled at the first deployment, as the reference does since 2024; before, os-init did it.
VARS = ("ostree/deploy/testos/var", "ostree/deploy/otheros/var")


class Entry(NamedTuple):
    """What a path is; enough to tell two sysroots apart."""

    kind: str
    mode: int
    owner: tuple[int, int]
    content: str
    is_linked: bool


class Lab:
    """A directory with a repository of operating systems and one or more sysroots.

    Args:
        root: an empty directory.
        command: makes the repository; its kind does not matter.
    """

    def __init__(self, root: Path, command: Path) -> None:
        self.root = root
        self.repo = root / "repo"
        self._command = command
        self._commits = 0
        self.tree = root / "tree"
        run(command, "init", f"--repo={self.repo}", "--mode=archive")
        self.write_tree(OS_FILES)
        for name in ("var", "sysroot", "boot"):
            (self.tree / name).mkdir(exist_ok=True)
        (self.tree / "bin").symlink_to("usr/bin")

    def write_tree(self, files: Mapping[str, str | None]) -> None:
        """Write files of the operating system; None removes one."""
        write_files(self.tree, files)

    def commit(self, version: str | None = "1.0", branch: str = BRANCH) -> str:
        """Commit the operating system and return the checksum."""
        self._commits += 1
        metadata = [] if version is None else [f"--add-metadata-string=version={version}"]
        when = f"--timestamp=2024-01-01 00:{self._commits:02}:00 +0000"
        arguments = (f"--branch={branch}", when, *metadata, f"--tree=dir={self.tree}")
        return run(self._command, "commit", f"--repo={self.repo}", *arguments).strip()

    def make_sysroot(self, name: str, command: Path, *, bootloader: str = "uboot") -> Path:
        """Make a sysroot with the stateroot ``testos`` by one command."""
        sysroot = self.root / name
        sysroot.mkdir()
        run(command, "admin", "init-fs", str(sysroot))
        run(command, "admin", "os-init", f"--sysroot={sysroot}", "testos")
        install_bootloader(sysroot, bootloader)
        return sysroot

    def pull(self, sysroot: Path, branch: str = BRANCH) -> None:
        """Bring the newest commit into a sysroot's repository."""
        repo = sysroot / "ostree/repo"
        run(self._command, "pull-local", f"--repo={repo}", "--remote=testos", self.repo, branch)


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a new directory, in memory if possible.

    Deploying syncs and freezes file systems, which on a disk takes most of a test's time and stops
    the whole machine.
    """
    with tempfile.TemporaryDirectory(dir=_memory()) as path:
        yield Path(path)


def _memory() -> str | None:
    with suppress(OSError), tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        os.setxattr(file.name, "user.test", b"only newer kernels")
        return "/dev/shm"
    return None


def write_files(root: Path, files: Mapping[str, str | None]) -> None:
    """Write files below `root`; None removes one."""
    for name, text in files.items():
        path = root / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def install_bootloader(sysroot: Path, kind: str) -> None:
    """Do what an installer does for a boot loader."""
    boot = sysroot / "boot"
    if kind == "none":
        return
    (boot / "loader.0").mkdir()
    (boot / "loader").symlink_to("loader.0")
    if kind == "uboot":
        (boot / "loader/uEnv.txt").touch()
        (boot / "uEnv.txt").symlink_to("loader/uEnv.txt")
    elif kind == "syslinux":
        (boot / "loader/syslinux.cfg").touch()
        (boot / "syslinux").mkdir()
        (boot / "syslinux/syslinux.cfg").symlink_to("../loader/syslinux.cfg")
    else:
        raise ValueError(kind)


def environment(**more: str) -> dict[str, str]:
    """Return the environment for both: old entry names, deployments that can be deleted."""
    return {
        **os.environ,
        "OSTREE_SYSROOT_OPTS": "bootloader-naming-1",
        "OSTREE_SYSROOT_DEBUG": "mutable-deployments",
        **more,
    }


def run(command: Path, *arguments: str | Path, **more: str) -> str:
    """Run a command that must succeed and return what it printed."""
    done = subprocess.run(
        [command, *arguments], capture_output=True, text=True, env=environment(**more), check=False
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def fail(command: Path, *arguments: str | Path, **more: str) -> str:
    """Run a command that must fail and return its error."""
    done = subprocess.run(
        [command, *arguments], capture_output=True, text=True, env=environment(**more), check=False
    )
    assert done.returncode == 1, f"{arguments}: {done.stdout}"
    assert "Traceback" not in done.stderr
    return done.stderr


def admin(command: Path, sysroot: Path, *arguments: str | Path, **more: str) -> str:
    """Run an ``admin`` command on a sysroot."""
    word, *others = arguments
    return run(command, "admin", word, f"--sysroot={sysroot}", *others, **more)


def neutral(output: str) -> str:
    """Leave out what newer versions say differently, or only to the journal."""
    lines = output.replace("OSTree root", "OSTree stateroot").splitlines()
    return "\n".join(line for line in lines if not line.startswith("Freed objects: "))


def empty(directory: Path) -> None:
    """Remove what versions before 2024 put into a new ``/var``."""
    for path in directory.iterdir():
        if path.is_symlink():
            path.unlink()
        else:
            path.rmdir()


def snapshot(sysroot: Path, *, skip: tuple[str, ...] = ()) -> dict[str, Entry]:
    """Return everything in a sysroot but objects, and what versions of OSTree have in addition."""
    found = {}
    for path in sorted(_walk(sysroot, sysroot, (*_SKIPPED, *skip))):
        status = path.lstat()
        is_link = stat.S_ISLNK(status.st_mode)
        is_file = stat.S_ISREG(status.st_mode)
        content = ""
        if is_link:
            content = os.readlink(path)
        elif is_file:
            content = path.read_bytes().decode("latin-1")
        xattrs = {key: os.getxattr(path, key) for key in os.listxattr(path)} if is_file else {}
        found[str(path.relative_to(sysroot))] = Entry(
            kind=stat.filemode(status.st_mode)[0],
            mode=stat.S_IMODE(status.st_mode),
            owner=(status.st_uid, status.st_gid),
            content=content + repr(sorted(xattrs.items())),
            is_linked=is_file and status.st_nlink > 1,
        )
    return found


def _walk(root: Path, directory: Path, skip: tuple[str, ...]) -> Iterator[Path]:
    for path in directory.iterdir():
        name = str(path.relative_to(root))
        if name in skip or path.name == "backing":  # since 2024
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(root, path, skip)
