"""Sysroots: deployments of commits, their boot entries, and the switch from one to the next."""

from pyostree.sysroot.deployment import Deployment
from pyostree.sysroot.sysroot import Sysroot, SysrootSettings

__all__ = ["Deployment", "Sysroot", "SysrootSettings"]
