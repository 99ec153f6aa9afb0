"""`Deployment`: a commit checked out to boot, one of those that boot entries lead to."""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.bls import BootEntry
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.objects import Checksum, is_checksum, parse_checksum

_NAME = re.compile(r"([0-9a-f]+)\.([0-9]+)")
_TRANSIENT_GROUP = "libostree-transient"


class Unlocked(enum.Enum):
    """Whether ``/usr`` of a deployment may be written to, and for how long that lasts."""

    NONE = "none"
    DEVELOPMENT = "development"
    HOTFIX = "hotfix"
    TRANSIENT = "transient"


class DeploymentKey(NamedTuple):
    """What makes a deployment itself: no two in a sysroot have the same."""

    stateroot: str
    checksum: Checksum
    deployserial: int


class Deployment(NamedTuple):
    """One deployment; its index is its place in the sysroot's list.

    Attributes:
        deployserial: tells deployments of one commit in one stateroot apart.
        bootcsum: checksum of its kernel files, 64 hex digits.
        bootserial: tells deployments with one bootcsum apart, counted across stateroots.
        entry: its boot entry as read, or what is known of a new one.
        origin: which refspec it follows; treated as immutable.
        device_inode: device and inode of its root directory.
    """

    stateroot: str
    checksum: Checksum
    deployserial: int
    bootcsum: str
    entry: BootEntry
    bootserial: int = -1
    origin: KeyFile | None = None
    unlocked: Unlocked = Unlocked.NONE
    is_staged: bool = False
    is_finalization_locked: bool = False
    device_inode: tuple[int, int] = (0, 0)

    @property
    def key(self) -> DeploymentKey:
        """What two records of the same deployment have in common."""
        return DeploymentKey(self.stateroot, self.checksum, self.deployserial)

    @property
    def name(self) -> str:
        """``CHECKSUM.DEPLOYSERIAL``, the name of its directory."""
        return f"{self.checksum}.{self.deployserial}"

    @property
    def path(self) -> str:
        """Its root directory, relative to the sysroot."""
        return f"ostree/deploy/{self.stateroot}/deploy/{self.name}"

    @property
    def origin_path(self) -> str:
        """Its origin file, relative to the sysroot."""
        return f"{self.path}.origin"

    @property
    def backing_path(self) -> str:
        """The directory of its extra data, relative to the sysroot."""
        return f"ostree/deploy/{self.stateroot}/backing/{self.name}"

    @property
    def is_pinned(self) -> bool:
        """Whether it stays until it is unpinned."""
        return self.origin is not None and self.origin.get_boolean(
            _TRANSIENT_GROUP, "pinned", False
        )

    @property
    def refspec(self) -> str | None:
        """What it is upgraded from."""
        return None if self.origin is None else self.origin.get_string("origin", "refspec")

    @property
    def options(self) -> str:
        """Its kernel arguments."""
        return self.entry.get("options") or ""


def parse_deployment_name(name: str) -> tuple[Checksum, int]:
    """Return the checksum and serial that a deployment directory's name holds.

    Raises:
        FormatError: it is no such name.
    """
    found = _NAME.fullmatch(name)
    if found is None or not is_checksum(found[1]):
        raise FormatError(f"Invalid deploy name '{name}', expected CHECKSUM.TREESERIAL")
    return parse_checksum(found[1]), int(found[2])


def new_origin(refspec: str) -> KeyFile:
    """Return an origin with nothing but a refspec."""
    origin = KeyFile()
    origin.set_string("origin", "refspec", refspec)
    return origin


def without_transient_state(origin: KeyFile) -> KeyFile:
    """Return a copy of an origin without what belongs to one deployment only."""
    copy = origin.copy()
    copy.remove_group(_TRANSIENT_GROUP)
    copy.remove_key("origin", "override-commit")
    copy.remove_key("origin", "unlocked")
    return copy


def with_pin(origin: KeyFile, *, pinned: bool) -> KeyFile:
    """Return a copy of an origin that pins its deployment, or does not."""
    copy = origin.copy()
    if pinned:
        copy.set_boolean(_TRANSIENT_GROUP, "pinned", True)
    else:
        copy.remove_key(_TRANSIENT_GROUP, "pinned")
    return copy
