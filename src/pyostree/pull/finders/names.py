"""The finders by the names that configurations and command lines use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyostree.errors import ConflictError
from pyostree.pull.finders.config import ConfigFinder
from pyostree.pull.finders.mount import MountFinder
from pyostree.repo.repo import Repo

if TYPE_CHECKING:
    from pyostree.pull.finders.base import Finder

_DEFAULT = ("config", "mount")


def _lan() -> Finder:
    from pyostree.pull.finders.lan import LanFinder  # needs more than most want to install

    return LanFinder()


_BY_NAME: dict[str, Callable[[], Finder]] = {
    "config": ConfigFinder,
    "mount": MountFinder,
    "lan": _lan,
}


def make_finders(names: Sequence[str]) -> list[Finder]:
    """Return the finders called ``config``, ``mount`` or ``lan``.

    Raises:
        ConflictError: another name, or one twice.
        UnsupportedError: what ``lan`` needs is not installed.
    """
    for number, name in enumerate(names):
        if name not in _BY_NAME or name in names[:number]:
            raise ConflictError(
                f"Unknown or duplicate finder type given in --finders option: ‘{name}’"
            )
    if "lan" in names:
        from pyostree.pull.finders.dns_sd import check_installed

        check_installed()  # who asks for it is told, rather than that nothing was found
    return [_BY_NAME[name]() for name in names]


def default_finders(repo: Repo) -> list[Finder]:
    """Return the finders that ``core.default-repo-finders`` names, without it config and mount."""
    names = repo.config.keyfile.get_list("core", "default-repo-finders")
    return [_BY_NAME[name]() for name in dict.fromkeys(names or _DEFAULT)]
