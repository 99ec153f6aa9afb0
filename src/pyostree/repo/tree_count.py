"""How many files a tree has, known before the first one is written."""

from __future__ import annotations

from pyostree.formats.links import TreeLinks, decode_tree_links
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.progress import Watch
from pyostree.repo.repo import Repo


def count_files(repo: Repo, tree: Checksum, watch: Watch) -> int:
    """Return the number of files and symlinks below a dirtree, of which each is read once.

    Raises:
        ObjectNotFoundError: a dirtree is missing.
        FormatError: one is damaged.
    """
    counts: dict[bytes, int] = {}
    stack: list[tuple[bytes, TreeLinks | None]] = [(tree, None)]
    while stack:
        current, links = stack.pop()
        if links is not None:
            # A dirtree that holds itself, which only a forged store has, counts nothing there.
            counts[current] = len(links.files) + sum(counts.get(sub, 0) for sub in links.dirtrees)
        elif current not in counts:
            watch.advance()
            name = ObjectName(Checksum(current), ObjectType.DIRTREE)
            links = decode_tree_links(repo.store.read_metadata(name))
            counts[current] = 0
            stack.append((current, links))
            stack.extend((below, None) for below in links.dirtrees if below not in counts)
    return counts[tree]
