"""Deploying a revision: from its name to the new list of deployments."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import ConflictError, DeploymentError, UnsupportedError, doing
from pyostree.formats.kargs import KernelArgs, import_cmdline
from pyostree.formats.keyfile import KeyFile
from pyostree.fs.dir import Dir
from pyostree.sysroot.cleanup import cleanup, prepare_cleanup
from pyostree.sysroot.deploy import DeployRequest, deploy_tree
from pyostree.sysroot.deployment import Deployment, new_origin
from pyostree.sysroot.query import find_merge_deployment
from pyostree.sysroot.retain import Retention, add_deployment
from pyostree.sysroot.sysroot import Sysroot

# Some link to check with; it is as long as a real one.
_ANY_LINK = "/ostree/boot.0/os/0/0"


class KernelArgChanges(NamedTuple):
    """How the kernel arguments of a new deployment differ from the merge deployment's.

    Attributes:
        none: start from an empty list.
        running: start from those of the running kernel.
        replace: arguments, each of which takes the place of all with its key.
        append: arguments to add.
        delete: arguments to remove, where there are any with their key.
    """

    none: bool = False
    running: bool = False
    replace: tuple[str, ...] = ()
    append: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()

    def apply(self, merge: Deployment | None) -> KernelArgs | None:
        """Return the new arguments; None when those of `merge` are to be taken over as they are.

        Raises:
            NotFoundError: an argument to delete has other values, or several.
            FormatError: quotes that would make the deployment unbootable.
        """
        if self.none:
            args = KernelArgs()
        elif self.running:
            with Dir.at("/proc") as proc:
                args = import_cmdline(proc.read_file("cmdline").decode("utf-8", "surrogateescape"))
        elif self.replace or self.append or (self.delete and merge is not None):
            args = KernelArgs.parse("" if merge is None else merge.options)
        else:
            return None
        for text in self.replace:
            args = args.replace(text)
        for text in self.append:
            args = args.append(text)
        for text in self.delete:
            args = args.delete_if_present(text)
        args.with_ostree(_ANY_LINK)
        return args


class DeployOptions(NamedTuple):
    """What to deploy and what to keep of the rest.

    Attributes:
        rev: a refspec, or a checksum.
        stateroot: None for the booted one.
        origin: None for one that follows `rev`.
        merge: take the configuration over from the stateroot's merge deployment.
        prune: remove unused objects afterwards.
        stage: let the deployment be completed when the system shuts down.
    """

    rev: str
    stateroot: str | None = None
    origin: KeyFile | None = None
    kernel_args: KernelArgChanges = KernelArgChanges()
    retention: Retention = Retention()
    merge: bool = True
    prune: bool = True
    stage: bool = False


def deploy_rev(sysroot: Sysroot, options: DeployOptions) -> None:
    """Deploy a revision of the system repository and make it the default.

    Raises:
        OstreeError: no such revision or stateroot, or it cannot be deployed.
    """
    stateroot = sysroot.require_stateroot(options.stateroot)
    origin = options.origin or new_origin(options.rev)
    commit = sysroot.repo.resolve(options.rev)
    merge = find_merge_deployment(sysroot, stateroot) if options.merge else None
    with doing("Performing initial cleanup"):
        prepare_cleanup(sysroot)
    request = DeployRequest(stateroot, commit, origin, merge, options.kernel_args.apply(merge))
    if options.stage:
        _refuse_to_stage(sysroot, options.retention)
    deployment = deploy_tree(sysroot, request)
    add_deployment(sysroot, deployment, merge, options.retention, clean=False)
    if options.prune:
        cleanup(sysroot)
    else:
        prepare_cleanup(sysroot)


def _refuse_to_stage(sysroot: Sysroot, retention: Retention) -> None:
    if retention.pending or retention.rollback:
        raise ConflictError("--stage cannot currently be combined with --retain arguments")
    if retention.not_default:
        raise ConflictError("--stage cannot currently be combined with --not-as-default")
    check_can_stage(sysroot)


def check_can_stage(sysroot: Sysroot) -> None:
    """Raise, because a deployment cannot be left to the next shutdown.

    Raises:
        DeploymentError: this system was not booted from the sysroot.
        UnsupportedError: it was.
    """
    with doing("Staging deployment"):
        if sysroot.booted is None:
            raise DeploymentError(
                "Cannot stage deployment: Not currently booted into an OSTree system"
            )
        raise UnsupportedError("Cannot stage deployment: not supported yet")
