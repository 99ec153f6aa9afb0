"""Checking out to a path, with totals for whoever watches."""

from __future__ import annotations

import os

from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.progress import Watch
from pyostree.repo.checkout import checkout
from pyostree.repo.checkout_labels import read_labels
from pyostree.repo.checkout_options import CheckoutOptions
from pyostree.repo.repo import Repo


def make_options(
    options: CheckoutOptions | None, selinux_policy: str | os.PathLike[str] | None
) -> CheckoutOptions:
    """Return the options with the labels of a policy.

    Raises:
        OstreeError, OSError: the policy cannot be read.
    """
    chosen = options or CheckoutOptions()
    if selinux_policy is None:
        return chosen
    return chosen._replace(labels=read_labels(os.fspath(selinux_policy), None))


def checkout_to(
    repo: Repo,
    commit: Checksum,
    destination: str | os.PathLike[str],
    options: CheckoutOptions,
    *,
    subpath: str,
    watch: Watch,
) -> None:
    """Check out (a part of) a commit as `destination`."""
    parent, name = Dir.above(os.path.abspath(destination))
    with parent:
        checkout(repo, commit, parent, name, options, subpath=subpath, watch=watch)
