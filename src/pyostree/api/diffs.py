"""Comparing commits and local directories."""

from __future__ import annotations

import os

from pyostree.formats.objects import Checksum
from pyostree.progress import Watch
from pyostree.repo.diff import Diff, DiffOptions, diff_trees
from pyostree.repo.repo import Repo

Side = str | Checksum | os.PathLike[str]


def diff_sides(
    repo: Repo, first: Side, second: Side, options: DiffOptions | None, watch: Watch
) -> Diff:
    """Return how two trees differ; path objects stand for local directories."""
    sides = [
        os.path.abspath(side) if isinstance(side, os.PathLike) else str(repo.resolve(str(side)))
        for side in (first, second)
    ]
    return diff_trees(repo, sides[0], sides[1], options or DiffOptions(), watch)
