"""The trees of commits on their way into a deployment."""

from __future__ import annotations

from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.repo.checkout import checkout
from pyostree.repo.checkout_options import CheckoutOptions
from pyostree.repo.repo import Repo


def checkout_deployment(repo: Repo, commit: Checksum, parent: Dir, name: str) -> None:
    """Check a commit out as `name` in `parent`, sharing files with the repository.

    Files that stand for an overlay's whiteouts become such: ``.ostree-wh.NAME``.
    """
    checkout(repo, commit, parent, name, CheckoutOptions(passthrough_whiteouts=True))


def copy_subtree(repo: Repo, commit: Checksum, path: str, parent: Dir, name: str) -> None:
    """Check a directory of a commit out as `name` in `parent`, as files of its own to write to."""
    options = CheckoutOptions(force_copy=True, passthrough_whiteouts=True)
    checkout(repo, commit, parent, name, options, subpath=path)
