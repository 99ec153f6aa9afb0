"""OSTree in Python: commit operating system trees, publish, pull and deploy them.

The names below are the public interface; everything else may change. They are loaded when they are
first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyostree.errors import OstreeError
    from pyostree.formats.objects import Checksum, ObjectName, ObjectType
    from pyostree.repo.checkout import checkout
    from pyostree.repo.checkout_options import CheckoutOptions, Overwrite
    from pyostree.repo.commit import CommitRequest, CommitResult, TreeSource, commit
    from pyostree.repo.modes import RepoMode
    from pyostree.repo.modifier import CommitModifier
    from pyostree.repo.repo import Repo
    from pyostree.repo.tree import CommitTree

__version__ = "0.1.0"

__all__ = [
    "CheckoutOptions",
    "Checksum",
    "CommitModifier",
    "CommitRequest",
    "CommitResult",
    "CommitTree",
    "ObjectName",
    "ObjectType",
    "OstreeError",
    "Overwrite",
    "Repo",
    "RepoMode",
    "TreeSource",
    "__version__",
    "checkout",
    "commit",
]

_HOMES = {
    "Checksum": "formats.objects",
    "CheckoutOptions": "repo.checkout_options",
    "CommitModifier": "repo.modifier",
    "CommitRequest": "repo.commit",
    "CommitResult": "repo.commit",
    "CommitTree": "repo.tree",
    "ObjectName": "formats.objects",
    "ObjectType": "formats.objects",
    "OstreeError": "errors",
    "Overwrite": "repo.checkout_options",
    "Repo": "repo.repo",
    "RepoMode": "repo.modes",
    "TreeSource": "repo.commit",
    "checkout": "repo.checkout",
    "commit": "repo.commit",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
