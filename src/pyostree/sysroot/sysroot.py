"""`Sysroot`: the physical root file system with its repository, deployments and boot entries.

::

    ostree/repo                               the objects that all deployments share
    ostree/deploy/OS/deploy/CHECKSUM.SERIAL   a deployment, its origin file beside it
    ostree/boot.V -> boot.V.S                 links from boot entries to deployments
    boot/loader -> loader.V                   boot entries; this link decides what boots
    boot/ostree/OS-BOOTCSUM                   kernels

Operations live in modules of their own and take a `Sysroot`. Whoever changes something holds the
lock, has loaded the state, and hears about progress through `Sysroot.on_message`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple, Self

from pyostree.closing import Closing
from pyostree.errors import DeploymentError, OstreeError, doing
from pyostree.fs.dir import Dir
from pyostree.fs.journal import JournalEntry, write_journal
from pyostree.fs.mount import (
    is_fat,
    is_privileged,
    make_mount_writable,
    unshare_mounts,
)
from pyostree.repo.repo import Repo
from pyostree.sysroot.deployment import Deployment
from pyostree.sysroot.load import find_running_root, read_boot_state
from pyostree.sysroot.lock import SysrootLock

_REPO = "ostree/repo"
_DEPLOY = "ostree/deploy"


class SysrootSettings(NamedTuple):
    """What the environment may change about how deployments are made.

    Attributes:
        mutable_deployments: leave the immutable bit of new deployments off.
        copy_xattrs: whether the ``/etc`` merge copies extended attributes.
        use_devicetree: whether device trees count as part of a kernel.
        fail_freeze: let each freeze of ``/boot`` fail on purpose, after its watchdog has run.
        old_entry_names: name boot entries ``ostree-N-OS.conf``, as before 2024.5.
        stage: make upgrades wait for the next shutdown.
        grub2_exec: program that writes grub's configuration; None for the system's.
        inherit_output: let programs of boot loaders write to our output.
    """

    mutable_deployments: bool = False
    copy_xattrs: bool = True
    use_devicetree: bool = True
    fail_freeze: bool = False
    old_entry_names: bool = False
    stage: bool = False
    grub2_exec: str | None = None
    inherit_output: bool = False


class Sysroot(Closing):
    """An open sysroot; a context manager, which also releases the lock.

    Attributes:
        path: absolute path it was opened at.
        dir: its root directory.
        settings: how to make deployments.
        on_message: told each line of progress that people care about.
        bootversion: which ``boot/loader.V`` is current; valid once loaded, as all that follows.
        subbootversion: which ``ostree/boot.V.S`` is current.
        deployments: in boot order, the default first.
        booted: the deployment that this system runs.
    """

    def __init__(self, directory: Dir, path: str) -> None:
        self.dir = directory
        self.path = path
        self.settings = SysrootSettings()
        self.on_message: Callable[[str], None] = _ignore
        self.running_root = find_running_root(directory)
        self.bootversion = 0
        self.subbootversion = 0
        self.deployments: tuple[Deployment, ...] = ()
        self.booted: Deployment | None = None
        self._repo: Repo | None = None
        self._boot: Dir | None = None
        self._lock: SysrootLock | None = None
        self._is_writable = False
        self._has_own_mounts = False

    def tell(self, entry: JournalEntry) -> None:
        """Tell people, and the journal, what has been done."""
        self.on_message(entry.message)
        write_journal(entry)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open the sysroot at `path`; nothing in it is read yet.

        Raises:
            OSError: there is no such directory.
        """
        text = os.fspath(path)
        return cls(Dir.at(text), os.path.abspath(text))

    def close(self) -> None:
        """Release the lock and close all handles."""
        with ExitStack() as todo:
            todo.callback(self.dir.close)
            if self._boot is not None:
                todo.callback(self._boot.close)
            if self._lock is not None:
                todo.callback(self._lock.release)
            if self._repo is not None:
                todo.callback(self._repo.close)

    # -- state ---------------------------------------------------------------------------

    @property
    def is_booted_sysroot(self) -> bool:
        """Whether this system was booted from one of the deployments in here."""
        return self.running_root is not None

    @property
    def is_physical(self) -> bool:
        """Whether this is the bare root file system, not the view from inside a deployment."""
        return self.booted is None and not self.dir.exists("sysroot")

    @property
    def repo(self) -> Repo:
        """The system repository; opened by `load`."""
        if self._repo is None:
            raise DeploymentError("the sysroot is not loaded")
        return self._repo

    def load(self) -> None:
        """Open the repository and read which deployments there are.

        Raises:
            OSError: a directory or link is missing.
            OstreeError: a boot entry, link or origin is not as it must be.
        """
        with doing("loading sysroot"):
            if self._repo is None:
                self._repo = self._open_repo()
            self.dir.stat(_DEPLOY)
            if self.dir.exists("boot"):
                self.open_boot()
            self.reload()

    def reload(self) -> None:
        """Read the deployments again, after a change."""
        state = read_boot_state(self.dir, self.running_root)
        self.bootversion = state.bootversion
        self.subbootversion = state.subbootversion
        self.deployments = state.deployments
        self.booted = state.booted

    def _open_repo(self) -> Repo:
        with doing("Opening sysroot repo"):
            opened = self.dir.open_dir(_REPO)
            try:
                device = self.dir.stat("ostree", follow=True).st_dev
                repo_device = opened.stat_self().st_dev
            finally:
                opened.close()
            if device != repo_device:
                raise DeploymentError(
                    f"Unexpected state: ostree/ on device {device} "
                    f"but ostree/repo on device {repo_device}"
                )
            with doing("opening repo"):
                return Repo.open_below(self.dir, _REPO, sysroot_dir=self.dir)

    def open_boot(self) -> Dir:
        """Return the handle of ``boot/``, which the sysroot closes.

        Raises:
            DeploymentError: it is a file system without symbolic links.
        """
        if self._boot is None:
            boot = self.dir.open_dir("boot")
            if is_fat(boot):
                boot.close()
                raise DeploymentError("/boot cannot currently be a vfat filesystem")
            self._boot = boot
        return self._boot

    def deployment_path(self, deployment: Deployment) -> str:
        """Return the absolute path of a deployment's root directory."""
        return os.path.join(self.path, deployment.path)

    def open_deployment(self, deployment: Deployment) -> Dir:
        """Open a deployment's root directory."""
        return self.dir.open_dir(deployment.path)

    def deployment_at(self, index: int) -> Deployment:
        """Return the deployment at an index that a user gave.

        Raises:
            DeploymentError: out of range.
        """
        count = len(self.deployments)
        if index < 0:
            raise DeploymentError(f"Invalid index {index}")
        if index >= count:
            raise DeploymentError(f"Out of range deployment index {index}, expected < {count}")
        return self.deployments[index]

    # -- changing ------------------------------------------------------------------------

    def enter_mount_namespace(self) -> None:
        """On the booted system, go where mounts can be made writable without the host seeing it."""
        if self.is_booted_sysroot and is_privileged():
            unshare_mounts()
            self._has_own_mounts = True

    def lock(self, on_wait: Callable[[], None] | None = None) -> None:
        """Take the lock, until the sysroot is closed.

        Args:
            on_wait: called at once and every few seconds while someone else has it.
        """
        self.ensure_writable()
        if self._lock is None:
            self._lock = SysrootLock(self.dir)
            self._lock.acquire(on_wait)

    def ensure_writable(self) -> None:
        """Remount ``/sysroot`` and ``/boot`` read-write, if in a mount namespace made for that."""
        if self._is_writable or not (self._has_own_mounts and self.is_booted_sysroot):
            return
        # Once: repository and lock hold handles that were opened below this one.
        self._is_writable = True
        self.open_boot()
        make_mount_writable("/sysroot")
        make_mount_writable("/boot")
        if self._boot is not None:
            self._boot.close()
            self._boot = None
        self.dir.close()
        self.dir = Dir.at(self.path)

    def touch(self) -> None:
        """Tell watchers of ``ostree/deploy`` that something has changed."""
        self.dir.touch(_DEPLOY)

    def require_stateroot(self, name: str | None) -> str:
        """Return `name`, or the booted deployment's stateroot.

        Raises:
            OstreeError: neither is given.
        """
        if name is not None:
            return name
        if self.booted is None:
            error = OstreeError(
                "Not currently booted into an OSTree system and no --os= argument given"
            )
            error.add_note("Looking for booted deployment")
            raise error
        return self.booted.stateroot


def _ignore(_message: str) -> None:
    pass
