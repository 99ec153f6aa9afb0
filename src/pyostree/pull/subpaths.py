"""Restricting a pull to some paths of a commit."""

from __future__ import annotations

from collections.abc import Sequence


def is_wanted(path: str, subpaths: Sequence[str], *, is_dir: bool) -> bool:
    """Tell whether an entry of a commit belongs to a pull.

    Args:
        path: absolute path of the entry, without a slash at the end.
        subpaths: what the pull is restricted to; none: everything is wanted.
    """
    if not subpaths:
        return True
    below = path + "/"
    return any(
        path == wanted or path.startswith(wanted + "/") or (is_dir and wanted.startswith(below))
        for wanted in subpaths
    )
