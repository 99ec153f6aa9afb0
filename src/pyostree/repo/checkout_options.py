"""How to check out a commit."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pyostree.repo.checkout_labels import CheckoutLabels
    from pyostree.repo.devino import DevinoCache


class Overwrite(enum.Enum):
    """What happens where the destination has something already."""

    NONE = enum.auto()
    UNION = enum.auto()
    ADD = enum.auto()
    IDENTICAL = enum.auto()


class CheckoutOptions(NamedTuple):
    """How to check out.

    Attributes:
        user_mode: set neither owners nor xattrs, nor setuid bits.
        require_hardlinks: fail where a copy would be needed.
        force_copy: never hard link.
        whiteouts: ``.wh.NAME`` files delete, as in container layers.
        passthrough_whiteouts: ``.ostree-wh.NAME`` files become character devices 0:0.
        limit_dir_modes: clear directory mode bits outside 0775.
        skip_list: paths to leave out, absolute from the root of what is checked out; those of
            directories may end in a slash.
        devino: is told which inodes are which objects, for a commit of what becomes of them.
        labels: security labels in place of those that the commit has.
        use_cache: unpack files of an archive repository once and link them from then on.
    """

    user_mode: bool = False
    overwrite: Overwrite = Overwrite.NONE
    require_hardlinks: bool = False
    force_copy: bool = False
    whiteouts: bool = False
    passthrough_whiteouts: bool = False
    limit_dir_modes: bool = False
    skip_list: frozenset[str] = frozenset()
    devino: DevinoCache | None = None
    labels: CheckoutLabels | None = None
    use_cache: bool = False
