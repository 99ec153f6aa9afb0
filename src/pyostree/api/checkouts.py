"""Checking out to a path, with totals for whoever watches."""

from __future__ import annotations

import os

from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.progress import Watch
from pyostree.repo.checkout import checkout
from pyostree.repo.checkout_options import CheckoutOptions
from pyostree.repo.repo import Repo


def checkout_to(
    repo: Repo,
    commit: Checksum,
    destination: str | os.PathLike[str],
    options: CheckoutOptions | None,
    *,
    subpath: str,
    watch: Watch,
) -> None:
    """Check out (a part of) a commit as `destination`."""
    parent, name = Dir.above(os.path.abspath(destination))
    with parent:
        checkout(
            repo, commit, parent, name, options or CheckoutOptions(), subpath=subpath, watch=watch
        )
