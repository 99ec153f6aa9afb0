"""Reading the state of a sysroot: which boot configuration is current, which deployments it has.

``boot/loader`` decides. Each entry in the directory it points to leads through a symbolic link in
``ostree/boot.V`` to one deployment.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pyostree.errors import DeploymentError, FormatError, OstreeError, doing
from pyostree.formats.bls import BootEntry, parse_entry, sort_entries
from pyostree.formats.kargs import find_ostree_arg
from pyostree.formats.keyfile import KeyFile
from pyostree.fs.dir import Dir
from pyostree.sysroot.deployment import Deployment, Unlocked, parse_deployment_name

_MAX_ENTRY_BYTES = 1 << 20
_MAX_ORIGIN_BYTES = 1 << 20
_MAX_BOOTED_BYTES = 1 << 20
# The reference does not escape the dot either: any character between "boot" and the version fits.
_LINK = re.compile(r"/ostree/boot.([01])/([^/]+)/([^/]+)/([0-9]+)")
_BOOTED_NAME = "ostree-booted"
_STATE_DIR = "/run/ostree/deployment-state"
_OVERLAY_SUFFIX = ".img"
_OVERLAY_LENGTH = 64 + len(_OVERLAY_SUFFIX)


class BootLink(NamedTuple):
    """What ``ostree=`` names: a symbolic link below ``ostree/boot.V``."""

    path: str
    stateroot: str
    bootcsum: str
    bootserial: int


class BootState(NamedTuple):
    """What the deployments of a sysroot look like at one moment.

    Attributes:
        bootversion: 0 or 1: which ``boot/loader.V`` is current.
        subbootversion: 0 or 1: which ``ostree/boot.V.S`` is current.
        deployments: in boot order, the default first.
        booted: the one that this system runs.
    """

    bootversion: int
    subbootversion: int
    deployments: tuple[Deployment, ...]
    booted: Deployment | None


def read_boot_state(sysroot: Dir, booted_root: tuple[int, int] | None) -> BootState:
    """Return the state of a sysroot.

    Args:
        booted_root: device and inode of the running root, None when this sysroot is not booted.

    Raises:
        OstreeError: an entry, link or name is not as it must be.
    """
    bootversion = _read_bootversion(sysroot)
    with doing("Reading current subbootversion"):
        subbootversion = read_subbootversion(sysroot, bootversion)
    entries = read_entries(sysroot, bootversion)
    deployments = tuple(_read_deployment(sysroot, entry) for entry in entries)
    booted = None
    if booted_root is not None:
        booted = next((one for one in deployments if one.device_inode == booted_root), None)
        if booted is None:
            raise DeploymentError(_why_not_booted(sysroot))
    return BootState(bootversion, subbootversion, deployments, booted)


def _why_not_booted(sysroot: Dir) -> str:
    if not sysroot.exists("boot/loader"):
        return "Unexpected state: /run/ostree-booted found, but no /boot/loader directory"
    return (
        "Unexpected state: /run/ostree-booted found and in / sysroot, "
        "but bootloader entry not found"
    )


def _read_bootversion(sysroot: Dir) -> int:
    if not sysroot.exists("boot/loader"):
        return 0
    try:
        target = sysroot.read_link("boot/loader")
    except OSError as err:
        raise DeploymentError("Not a symbolic link: boot/loader") from err
    if target not in ("loader.0", "loader.1"):
        raise DeploymentError(f"Invalid target '{target}' in boot/loader")
    return int(target[-1])


def read_subbootversion(sysroot: Dir, bootversion: int) -> int:
    """Return which ``ostree/boot.V.S`` is current for a bootversion; 0 when there is none.

    Raises:
        DeploymentError: the link points elsewhere.
    """
    name = f"ostree/boot.{bootversion}"
    if not sysroot.exists(name):
        return 0
    target = sysroot.read_link(name)
    if not target.endswith((".0", ".1")):
        raise DeploymentError(f"Invalid target '{target}' in {name}")
    return int(target[-1])


def read_entries(sysroot: Dir, bootversion: int) -> list[BootEntry]:
    """Return the boot entries of a bootversion that are ours, the default first."""
    path = f"boot/loader.{bootversion}/entries"
    if not sysroot.exists(path):
        return []
    entries = []
    with sysroot.open_dir(path) as directory:
        for name in directory.list():
            directory.stat(name, follow=True)  # a dangling link of any name is an error
            if not (name.startswith("ostree-") and name.endswith(".conf")):
                continue
            if directory.is_file(name):
                with doing(f"Parsing {name}"):
                    data = directory.read_file(name, max_bytes=_MAX_ENTRY_BYTES)
                entries.append(parse_entry(data, name))
    return sort_entries(entries)


def parse_boot_link(options: str) -> BootLink:
    """Return what the first ``ostree=`` in kernel arguments names.

    Raises:
        FormatError: there is none, or it is malformed.
    """
    value = find_ostree_arg(options)
    if value is None:
        raise FormatError("No ostree= kernel argument found")
    found = _LINK.fullmatch(value)
    if found is None or found[2] in (".", ".."):
        raise FormatError(
            f"Invalid ostree= argument '{value}', "
            "expected ostree=/ostree/boot.BOOTVERSION/OSNAME/BOOTCSUM/TREESERIAL"
        )
    return BootLink(value.lstrip("/"), found[2], found[3], int(found[4]))


def _read_deployment(sysroot: Dir, entry: BootEntry) -> Deployment:
    options = entry.get("options")
    if options is None:
        raise FormatError("No ostree= kernel argument found")
    link = parse_boot_link(options)
    _check_overlays(entry)
    with doing(f"Parsing deployment /{link.path} in stateroot '{link.stateroot}'"):
        return _follow_link(sysroot, link, entry)


def _follow_link(sysroot: Dir, link: BootLink, entry: BootEntry) -> Deployment:
    try:
        target = sysroot.read_link(link.path)
    except OSError as err:
        err.__notes__[:] = [*err.__notes__[:-1], "readlinkat"]
        raise
    checksum, deployserial = parse_deployment_name(target.rpartition("/")[2])
    with sysroot.open_dir(link.path) as root:
        status = root.stat_self()
    found = Deployment(
        link.stateroot,
        checksum,
        deployserial,
        link.bootcsum,
        entry,
        bootserial=link.bootserial,
        device_inode=(status.st_dev, status.st_ino),
    )
    origin = read_origin(sysroot, found)
    return found._replace(origin=origin, unlocked=_read_unlocked(found.name, origin))


def read_origin(sysroot: Dir, deployment: Deployment) -> KeyFile | None:
    """Return the origin of a deployment, or None when it has none."""
    path = deployment.origin_path
    try:
        data = sysroot.read_file(path, max_bytes=_MAX_ORIGIN_BYTES)
    except FileNotFoundError:
        return None
    with doing(f"Parsing {path}"):
        return KeyFile.parse(data)


def _read_unlocked(name: str, origin: KeyFile | None) -> Unlocked:
    try:
        with Dir.at(f"{_STATE_DIR}/{name}") as flags:
            for state in (Unlocked.DEVELOPMENT, Unlocked.TRANSIENT):
                if flags.exists(f"unlocked-{state.value}"):
                    return state
    except FileNotFoundError:
        pass
    if origin is not None and origin.get_raw("origin", "unlocked") == Unlocked.HOTFIX.value:
        return Unlocked.HOTFIX
    return Unlocked.NONE


def _check_overlays(entry: BootEntry) -> None:
    for path in entry.overlay_initrds:
        name = path.rpartition("/")[2]
        if len(name) != _OVERLAY_LENGTH or not name.endswith(_OVERLAY_SUFFIX):
            raise FormatError(f"Malformed overlay initrd filename: {name}")


def find_running_root(sysroot: Dir) -> tuple[int, int] | None:
    """Return device and inode of the running deployment's root, if `sysroot` is the booted one.

    It is booted when the system came up through OSTree and `sysroot` is ``/``.
    """
    try:
        with Dir.at("/run") as run:
            data = run.read_file(_BOOTED_NAME, max_bytes=_MAX_BOOTED_BYTES)
    except FileNotFoundError:
        return None
    with Dir.at("/") as root:
        here = _identity(root)
    if _identity(sysroot) != here:
        return None
    return _backing_root(data) or here


def _identity(directory: Dir) -> tuple[int, int]:
    status = directory.stat_self()
    return status.st_dev, status.st_ino


def _backing_root(data: bytes) -> tuple[int, int] | None:
    if not data:  # versions before 2023 leave the file empty
        return None
    from pyostree.formats.commit import decode_metadata  # not needed by the many other commands
    from pyostree.formats.gvariant import lookup

    try:
        found = lookup(decode_metadata(data), "backing-root-device-inode")
    except OstreeError as err:
        err.add_note(f"Reading /run/{_BOOTED_NAME}")
        raise
    if found is None or found.type != "(tt)":
        return None
    assert isinstance(found.value, tuple)
    device, inode = found.value
    return device, inode
