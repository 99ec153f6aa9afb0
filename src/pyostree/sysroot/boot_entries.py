"""Boot entries of deployments: what is written into them, and the kernels they name."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import DeploymentError, OstreeError, doing
from pyostree.formats.bls import BootEntry, entry_file_name, format_entry
from pyostree.formats.kargs import KernelArgs
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.os_release import parse_os_release
from pyostree.fs.dir import Dir
from pyostree.fs.resolve import is_file_in_root, read_file_in_root
from pyostree.sysroot.deployment import Deployment
from pyostree.sysroot.kernel import KernelLayout, find_kernel, install_kernel
from pyostree.sysroot.sysroot import Sysroot

_MAX_OS_RELEASE_BYTES = 1 << 20
_INIT = "usr/lib/ostree/ostree-prepare-root"
_ABOOT_CONFIG = "usr/lib/ostree-boot/aboot.cfg"


class EntrySettings(NamedTuple):
    """What the repository's configuration says about boot entries.

    Attributes:
        has_prefix: paths start with ``/boot``.
        tries: how often a boot loader may try a new entry; 0 for no counting.
        extra: keys and values for all entries but the default.
    """

    bootloader: str
    has_prefix: bool
    tries: int
    extra: tuple[tuple[str, str], ...]


def read_entry_settings(config: KeyFile) -> EntrySettings:
    """Return the settings of a system repository's configuration, which is known to be valid."""
    pairs = config.get_list("sysroot", "bls-append-except-default") or ()
    extra: dict[str, str] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        extra[key] = value
    return EntrySettings(
        bootloader=config.get_string("sysroot", "bootloader") or "auto",
        has_prefix=config.get_boolean("sysroot", "bootprefix", False),
        tries=int(config.get_raw("sysroot", "boot-counting-tries") or 0),
        extra=tuple(extra.items()),
    )


class EntryWriter:
    """Writes the boot entries of one new boot configuration.

    Args:
        bootversion: the new one.
        deployments: all that the configuration shall have, bootserials assigned.
    """

    def __init__(
        self, sysroot: Sysroot, bootversion: int, deployments: tuple[Deployment, ...]
    ) -> None:
        self._sysroot = sysroot
        self._bootversion = bootversion
        self._deployments = deployments
        self._settings = read_entry_settings(sysroot.repo.config.keyfile)
        self._names_stateroots = len({one.stateroot for one in deployments}) > 1

    def write(self, index: int) -> None:
        """Install the kernel of the deployment at `index` and write its entry.

        Raises:
            OstreeError: it has no kernel or no name.
            OSError: ``/boot`` is full, or cannot be written to.
        """
        deployment = self._deployments[index]
        boot = self._sysroot.open_boot()
        with doing("Installing kernel"), self._sysroot.open_deployment(deployment) as root:
            layout = find_kernel(root, use_devicetree=self._sysroot.settings.use_devicetree)
            directory = f"ostree/{deployment.stateroot}-{deployment.bootcsum}"
            boot.make_dirs("ostree", 0o755)
            boot.make_dir(directory, 0o775, exist_ok=True)
            with boot.open_dir(directory) as target:
                install_kernel(root, layout, target)
            entry = self._make_entry(index, root, layout, directory)
            version = len(self._deployments) - index
            stem = f"ostree-{version}"
            if self._sysroot.settings.old_entry_names:
                stem += f"-{deployment.stateroot}"
            name = entry_file_name(stem, deployment.entry, self._settings.tries)
            with boot.open_dir(f"loader.{self._bootversion}/entries") as entries:
                entries.replace_file(name, format_entry(entry), sync=False)

    def _make_entry(self, index: int, root: Dir, layout: KernelLayout, directory: str) -> BootEntry:
        deployment = self._deployments[index]
        entry = deployment.entry
        base = f"/boot/{directory}" if self._settings.has_prefix else f"/{directory}"
        version = str(len(self._deployments) - index)
        fields = [("title", self._title(index, root)), ("version", version)]
        fields.append(("linux", f"{base}/{layout.kernel.name}"))
        if layout.initramfs is not None:
            fields.append(("initrd", f"{base}/{layout.initramfs.name}"))
        if layout.devicetree is not None:
            key = "fdtdir" if layout.devicetree_is_dir else "devicetree"
            fields.append((key, f"{base}/{layout.devicetree.name}"))
        if layout.aboot is not None:
            fields.append(("aboot", f"/{directory}/{layout.aboot.name}"))
            fields.append(("abootcfg", f"/{deployment.path}/{_ABOOT_CONFIG}"))
        fields.append(("options", self._options(deployment, layout)))
        if index > 0:
            fields += self._settings.extra
        for key, value in fields:
            entry = entry.set(key, value)
        return entry

    def _options(self, deployment: Deployment, layout: KernelLayout) -> str:
        link = "/".join(
            (
                f"/ostree/boot.{self._bootversion}",
                deployment.stateroot,
                deployment.bootcsum,
                str(deployment.bootserial),
            )
        )
        args = KernelArgs.parse(deployment.options)
        if layout.initramfs is None:
            args = args.replace(f"init={link}/{_INIT}")
        return args.with_ostree(link).format()

    def _title(self, index: int, root: Dir) -> str:
        deployment = self._deployments[index]
        title = _read_os_name(root)
        version = commit_version(self._sysroot, deployment)
        if version and version not in title:
            title += f" {version}"
        where = f"{deployment.stateroot}:{index}" if self._names_stateroots else str(index)
        return f"{title} (ostree:{where})"


def commit_version(sysroot: Sysroot, deployment: Deployment) -> str | None:
    """Return the version that a deployment's commit carries, None if it has none or is missing."""
    try:
        return sysroot.repo.load_commit(deployment.checksum).lookup_str("version")
    except OstreeError:
        return None


def _read_os_name(root: Dir) -> str:
    path = "usr/lib/os-release"
    if not is_file_in_root(root, path):
        path = "etc/os-release"
    try:
        values = parse_os_release(read_file_in_root(root, path, max_bytes=_MAX_OS_RELEASE_BYTES))
    except OSError as err:
        err.__notes__ = [f"openat({path})", "Reading /etc/os-release"]
        raise
    name = values.get("PRETTY_NAME") or values.get("ID")
    if name is None:
        raise DeploymentError("No PRETTY_NAME or ID in /etc/os-release")
    return name.replace("\n", " ")  # a line break would start a new key in the boot entry
