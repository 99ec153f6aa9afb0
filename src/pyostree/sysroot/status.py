"""What ``admin status`` tells about each deployment."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import DeploymentError, OstreeError
from pyostree.formats.commit import Commit
from pyostree.sysroot.deployment import Deployment
from pyostree.sysroot.query import find_neighbours
from pyostree.sysroot.sysroot import Sysroot

_SOURCE_TITLE = "ostree.source-title"


class DeploymentStatus(NamedTuple):
    """One deployment with its roles and what its commit says.

    Attributes:
        has_origin: whether there is an origin file.
        refspec: as in the origin; None when it has none.
        version: None also when the commit is missing.
    """

    deployment: Deployment
    position: int
    is_booted: bool
    is_pending: bool
    is_rollback: bool
    has_origin: bool
    refspec: str | None
    version: str | None
    source_title: str | None


def list_status(sysroot: Sysroot, *, needs_commits: bool = False) -> list[DeploymentStatus]:
    """Return the status of all deployments, in boot order.

    Args:
        needs_commits: whether a missing commit is an error.
    """
    neighbours = find_neighbours(sysroot)
    pending, rollback = neighbours.pending, neighbours.rollback
    result = []
    for index, one in enumerate(sysroot.deployments):
        commit = _load_commit(sysroot, one, is_needed=needs_commits)
        result.append(
            DeploymentStatus(
                deployment=one,
                position=index,
                is_booted=sysroot.booted is not None and one.key == sysroot.booted.key,
                is_pending=pending is not None and one.key == pending.key,
                is_rollback=rollback is not None and one.key == rollback.key,
                has_origin=one.origin is not None,
                refspec=one.refspec,
                version=None if commit is None else commit.lookup_str("version"),
                source_title=None if commit is None else commit.lookup_str(_SOURCE_TITLE),
            )
        )
    return result


def _load_commit(sysroot: Sysroot, one: Deployment, *, is_needed: bool) -> Commit | None:
    try:
        return sysroot.repo.load_commit(one.checksum)
    except OstreeError:
        if is_needed:
            raise
        return None


def is_default_booted(sysroot: Sysroot) -> bool:
    """Tell whether the booted deployment is the one that boots next.

    Raises:
        DeploymentError: there are no deployments.
    """
    if not sysroot.deployments:
        raise DeploymentError("Not in a booted OSTree system")
    booted = sysroot.booted
    return booted is not None and booted.key == sysroot.deployments[0].key
