"""Which deployments of a list play which part: merge, pending, rollback."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.sysroot.deployment import Deployment
from pyostree.sysroot.sysroot import Sysroot


class Neighbours(NamedTuple):
    """The deployments of one stateroot next to the booted one."""

    pending: Deployment | None
    rollback: Deployment | None


def find_neighbours(sysroot: Sysroot, stateroot: str | None = None) -> Neighbours:
    """Return the first deployments before and after the booted one.

    Args:
        stateroot: whose deployments count; None for the booted one's. If the booted deployment
            belongs to another one, the first deployment is pending.
    """
    booted = sysroot.booted
    wanted = stateroot or (booted.stateroot if booted is not None else None)
    before: list[Deployment] = []
    after: list[Deployment] = []
    side = before
    for deployment in sysroot.deployments:
        if deployment.stateroot != wanted:
            continue
        if booted is not None and deployment.key == booted.key:
            side = after
        else:
            side.append(deployment)
    return Neighbours(before[0] if before else None, after[0] if after else None)


def find_merge_deployment(sysroot: Sysroot, stateroot: str | None) -> Deployment | None:
    """Return the deployment whose configuration a new one of that stateroot takes over."""
    booted = sysroot.booted
    if booted is not None and stateroot in (None, booted.stateroot):
        return booted
    return find_neighbours(sysroot, stateroot).pending
