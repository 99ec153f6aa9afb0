"""Removing one deployment."""

from __future__ import annotations

from pyostree.errors import DeploymentError
from pyostree.sysroot.cleanup import cleanup
from pyostree.sysroot.sysroot import Sysroot
from pyostree.sysroot.write import write_deployments


def undeploy(sysroot: Sysroot, index: int) -> str:
    """Remove the deployment at `index` and all that only it used.

    Returns:
        Its name.

    Raises:
        DeploymentError: there is none, or it is booted.
    """
    target = sysroot.deployment_at(index)
    booted = sysroot.booted
    if booted is not None and target.key == booted.key:
        raise DeploymentError(f"Cannot undeploy currently booted deployment {index}")
    others = [one for one in sysroot.deployments if one.key != target.key]
    write_deployments(sysroot, others)
    cleanup(sysroot)
    return target.name
