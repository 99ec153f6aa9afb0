"""Which deployments stay when a new one comes, and where it goes in the list."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.sysroot.deployment import Deployment
from pyostree.sysroot.sysroot import Sysroot
from pyostree.sysroot.write import write_deployments


class Retention(NamedTuple):
    """What to keep of the other deployments in a stateroot.

    Attributes:
        everything: keep all.
        pending: keep those before the booted one.
        rollback: keep those after it.
        not_default: put the new one after the booted one instead of first.
    """

    everything: bool = False
    pending: bool = False
    rollback: bool = False
    not_default: bool = False


def add_deployment(
    sysroot: Sysroot,
    new: Deployment,
    merge: Deployment | None,
    retention: Retention | None = None,
    *,
    clean: bool = True,
) -> None:
    """Write the list of deployments with `new` in it.

    Pinned deployments, the booted one, the merge deployment and those of other stateroots stay.

    Args:
        clean: as for `write_deployments`.
    """
    kept = retain(sysroot, new, merge, retention or Retention())
    write_deployments(sysroot, kept, clean=clean)


def retain(
    sysroot: Sysroot, new: Deployment, merge: Deployment | None, retention: Retention
) -> list[Deployment]:
    """Return the list with `new` in its place."""
    booted = sysroot.booted
    anchor = booted or merge
    keeps_all = retention.everything or (
        anchor is None and (retention.pending or retention.rollback)
    )
    result = [] if retention.not_default else [new]
    is_placed = not retention.not_default
    has_passed = False
    for one in sysroot.deployments:
        if anchor is not None and one.key == anchor.key:
            has_passed = True
        is_needed = one.key in {other.key for other in (booted, merge) if other is not None}
        if (
            keeps_all
            or is_needed
            or one.is_pinned
            or one.stateroot != new.stateroot
            or (retention.pending and not has_passed)
            or (retention.rollback and has_passed)
        ):
            result.append(one)
        if has_passed and not is_placed:
            result.append(new)
            is_placed = True
    if not is_placed:
        result.append(new)
    return result
