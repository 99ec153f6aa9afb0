"""A quick look at trees before they are committed: how many files, how many bytes.

The figures are an estimate: what a modifier leaves out is counted, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyostree.fs.dir import Dir

if TYPE_CHECKING:
    from pyostree.progress import Watch
    from pyostree.repo.mutable_tree import RootChecksums
    from pyostree.repo.repo import Repo

# As deep as handles are held open; what lies deeper is left out.
_MAX_DEPTH = 100


class ScanTotals(NamedTuple):
    """Files and symlinks, and the bytes in the files; None where that is not known."""

    files: int | None
    size: int | None


UNKNOWN = ScanTotals(None, None)


def add_totals(one: ScanTotals, other: ScanTotals) -> ScanTotals:
    """Return the sums of what is known of both."""
    files = None if one.files is None or other.files is None else one.files + other.files
    size = None if one.size is None or other.size is None else one.size + other.size
    return ScanTotals(files, size)


def scan_directory(path: str, watch: Watch) -> ScanTotals:
    """Count what is below a directory; parts that cannot be read count nothing.

    Raises:
        OSError: the directory itself cannot be opened.
    """
    files = size = 0
    with Dir.at(path, follow=False) as root:
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


def scan_tree(repo: Repo, root: RootChecksums, watch: Watch) -> ScanTotals:
    """Count the files of a tree in the repository, whose sizes would take long to find out.

    A dirtree that stands in several places counts once: a forged one might hold itself.

    Raises:
        OstreeError: a dirtree is missing or damaged.
    """
    files = 0
    seen = {root.tree}
    stack = [root.tree]
    while stack:
        watch.check()
        content = repo.load_dirtree(stack.pop())
        files += len(content.files)
        new = {tree for _, tree, _ in content.dirs} - seen
        seen |= new
        stack += new
    return ScanTotals(files, None)
