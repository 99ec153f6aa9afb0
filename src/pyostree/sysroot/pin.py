"""Pinning: a pinned deployment stays until it is unpinned, whatever is deployed."""

from __future__ import annotations

from pyostree.errors import DeploymentError, NotFoundError, OstreeError
from pyostree.sysroot.deploy import write_origin
from pyostree.sysroot.deployment import Deployment, with_pin
from pyostree.sysroot.query import find_neighbours
from pyostree.sysroot.sysroot import Sysroot

_MAX_INDEX = (1 << 63) - 1


def set_pinned(sysroot: Sysroot, deployment: Deployment, *, pinned: bool) -> bool:
    """Pin or unpin a deployment.

    Returns:
        Whether that changed anything.

    Raises:
        DeploymentError: it is staged, or has no origin file to note it in.
    """
    if pinned == deployment.is_pinned:
        return False
    if deployment.is_staged:
        raise DeploymentError("Cannot pin staged deployment")
    if deployment.origin is None:
        raise DeploymentError(f"No origin known for deployment {deployment.name}")
    write_origin(sysroot, deployment, with_pin(deployment.origin, pinned=pinned))
    return True


def find_deployment(sysroot: Sysroot, text: str) -> tuple[int, Deployment]:
    """Return the deployment that ``booted``, ``pending``, ``rollback`` or a number names.

    Raises:
        OstreeError: there is none.
    """
    neighbours = find_neighbours(sysroot)
    named = {
        "booted": sysroot.booted,
        "pending": neighbours.pending if sysroot.booted else None,
        "rollback": neighbours.rollback,
    }
    if text in named:
        found = named[text]
        if found is None:
            raise NotFoundError(f"Deployment type not found: {text}")
        keys = [one.key for one in sysroot.deployments]
        return keys.index(found.key), found
    if not (text.isascii() and text.isdigit()):
        raise OstreeError(f"Invalid index: {text}")
    if int(text) > _MAX_INDEX:
        raise OstreeError(f"Index too large: {text}")
    return int(text), sysroot.deployment_at(int(text))
