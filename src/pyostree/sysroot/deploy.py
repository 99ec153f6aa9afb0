"""Making a deployment: check a commit out, give it ``/etc``, ``/var`` and an origin.

The result is on disk but not bootable until the list of deployments is written
(`pyostree.sysroot.write`); a failure leaves a directory behind that the next cleanup removes.
"""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import DeploymentError, doing
from pyostree.formats.bls import BootEntry
from pyostree.formats.kargs import KernelArgs
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.fs.kernel import set_immutable
from pyostree.sysroot.deployment import Deployment, parse_deployment_name
from pyostree.sysroot.etc import clear_updated_stamps, merge_etc, prepare_etc
from pyostree.sysroot.kernel import find_kernel
from pyostree.sysroot.rootfs_config import check_rootfs_config
from pyostree.sysroot.sysroot import Sysroot
from pyostree.sysroot.tree import checkout_deployment
from pyostree.sysroot.var import populate_var, stamp_var


class DeployRequest(NamedTuple):
    """What to deploy.

    Attributes:
        merge: the deployment whose configuration is taken over; None for a fresh start.
        kernel_args: None takes over those of `merge`.
    """

    stateroot: str
    commit: Checksum
    origin: KeyFile
    merge: Deployment | None = None
    kernel_args: KernelArgs | None = None


def deploy_tree(sysroot: Sysroot, request: DeployRequest) -> Deployment:
    """Make a deployment and return it; nothing boots it yet.

    Raises:
        DeploymentError: no such stateroot, or no kernel in the commit.
        ConflictError: ``/etc`` cannot be merged.
        OstreeError: the commit is missing or incomplete.
    """
    with doing("Deploying tree"):
        with doing("Initializing deployment"):
            deployment = _initialize(sysroot, request)
        with doing("Finalizing deployment"):
            return _finalize(sysroot, request, deployment)


def check_stateroot(sysroot: Sysroot, name: str) -> None:
    """Raise `DeploymentError` unless the stateroot exists."""
    if name in ("", ".", "..") or "/" in name or not sysroot.dir.is_dir(f"ostree/deploy/{name}"):
        raise DeploymentError(f"No such stateroot: {name}")


def _initialize(sysroot: Sysroot, request: DeployRequest) -> Deployment:
    check_stateroot(sysroot, request.stateroot)
    repo = sysroot.repo
    with sysroot.dir.open_dir(f"ostree/deploy/{request.stateroot}") as stateroot:
        stateroot.make_dir("backing", 0o700, exist_ok=True)
        serial = _next_serial(stateroot, request.commit)
        name = f"{request.commit}.{serial}"
        with doing("Checking out deployment tree"):
            stateroot.make_dir("deploy", 0o775, exist_ok=True)
            with stateroot.open_dir("deploy") as deployments:
                deployments.remove_tree(name)
                checkout_deployment(repo, request.commit, deployments, name)
            with stateroot.open_dir(f"deploy/{name}") as root:
                check_rootfs_config(root)
        with stateroot.open_dir(f"deploy/{name}") as root:
            layout = find_kernel(root, use_devicetree=sysroot.settings.use_devicetree)
            prepare_etc(repo, request.commit, root)
            populate_var(repo, request.commit, root, stateroot)
            status = root.stat_self()
    entry = BootEntry()
    if request.kernel_args is not None:
        entry = entry.set("options", request.kernel_args.format())
    return Deployment(
        request.stateroot,
        request.commit,
        serial,
        layout.bootcsum,
        entry,
        origin=request.origin,
        device_inode=(status.st_dev, status.st_ino),
    )


def _next_serial(stateroot: Dir, commit: Checksum) -> int:
    if not stateroot.is_dir("deploy"):
        return 0
    serials = [-1]
    with stateroot.open_dir("deploy") as directory:
        for entry in directory.scan():
            if entry.is_dir(follow_symlinks=False):
                checksum, serial = parse_deployment_name(entry.name)
                if checksum == commit:
                    serials.append(serial)
    return max(serials) + 1


def _finalize(sysroot: Sysroot, request: DeployRequest, deployment: Deployment) -> Deployment:
    merge = request.merge
    if merge is not None and deployment.entry.get("options") is None:
        deployment = deployment._replace(entry=deployment.entry.set("options", merge.options))
    with sysroot.open_deployment(deployment) as root:
        if merge is not None:
            with sysroot.open_deployment(merge) as merge_root:
                merge_etc(sysroot, merge_root, root)
        with (
            sysroot.dir.open_dir(f"ostree/deploy/{deployment.stateroot}") as stateroot,
            _open_var(sysroot, stateroot, deployment.stateroot) as var,
        ):
            clear_updated_stamps(root, var)
            entry = stamp_var(stateroot)
            if entry is not None:
                sysroot.tell(entry)
        _make_backing(sysroot.dir, deployment, root.stat_self().st_mode & 0o7777)
        write_origin(sysroot, deployment, request.origin, sync=False)
        if not sysroot.settings.mutable_deployments:
            set_immutable(root, True)
    return deployment


def _open_var(sysroot: Sysroot, stateroot: Dir, name: str) -> Dir:
    # What the booted system shows as /var may be a mount of its own.
    if sysroot.booted is not None and sysroot.booted.stateroot == name:
        return Dir.at("/var")
    return stateroot.open_dir("var")


def _make_backing(sysroot: Dir, deployment: Deployment, mode: int) -> None:
    """Create the upper and work directories of a writable root, for those who want one."""
    base = f"{deployment.backing_path}/root-transient"
    for path in (deployment.backing_path, base, f"{base}/work"):
        sysroot.make_dir(path, 0o700, exist_ok=True)
    sysroot.make_dir(f"{base}/upper", 0o700, exist_ok=True)
    sysroot.chmod(f"{base}/upper", mode)


def write_origin(
    sysroot: Sysroot, deployment: Deployment, origin: KeyFile, *, sync: bool = True
) -> None:
    """Replace the origin file of a deployment.

    Args:
        sync: whether it is a change of its own, to be durable and announced at once.
    """
    with doing("Writing out origin file"):
        sysroot.dir.replace_file(deployment.origin_path, origin.encode(), sync=sync)
    if sync:
        sysroot.touch()
