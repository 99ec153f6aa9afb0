"""A quick look at directories before they are committed: how many files, how many bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyostree.fs.dir import Dir

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyostree.progress import Watch

# As deep as handles are held open; what lies deeper is left out of the estimate.
_MAX_DEPTH = 100


class ScanTotals(NamedTuple):
    """Files and symlinks, and the bytes in the files."""

    files: int
    size: int


def scan_totals(paths: Iterable[str], watch: Watch) -> ScanTotals:
    """Count what is below `paths`; a path that cannot be read counts nothing.

    It is an estimate: what a modifier leaves out is counted, too.
    """
    files = size = 0
    for path in paths:
        try:
            root = Dir.at(path, follow=False)
        except OSError:
            continue  # whoever reads it for the commit finds out, and says so
        with root:
            found = _scan(root, watch)
        files += found.files
        size += found.size
    return ScanTotals(files, size)


def _scan(root: Dir, watch: Watch) -> ScanTotals:
    files = size = 0
    stack = [(root, "", 0)]
    while stack:
        above, name, depth = stack.pop()
        watch.check()
        try:
            directory = above.open_dir(name, follow=False) if name else above
            for entry in directory.scan():
                if entry.is_dir(follow_symlinks=False):
                    if depth < _MAX_DEPTH:
                        stack.append((directory, entry.name, depth + 1))
                    continue
                files += 1
                if entry.is_file(follow_symlinks=False):
                    size += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return ScanTotals(files, size)
