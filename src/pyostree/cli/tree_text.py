"""Lines of ``ls``: what a tree's entry looks like as text."""

from __future__ import annotations

import stat

from pyostree.formats.dirmeta import Dirmeta
from pyostree.formats.gvariant import format_text
from pyostree.formats.objects import Checksum
from pyostree.formats.xattrs import Xattrs
from pyostree.repo.repo import Repo
from pyostree.repo.tree import TreeDir, TreeEntry, TreeFile

# A tree has few kinds of directories; a forged one must not fill the memory.
_MAX_CACHED = 4096


class TreePrinter:
    """Makes one line of each entry."""

    def __init__(self, repo: Repo, *, with_checksums: bool, with_xattrs: bool) -> None:
        self._repo = repo
        self._with_checksums = with_checksums
        self._with_xattrs = with_xattrs
        self._dirmetas: dict[Checksum, Dirmeta] = {}

    def line(self, entry: TreeEntry) -> str:
        """Return the line of an entry, with its newline."""
        if isinstance(entry, TreeDir):
            return self._dir_line(entry)
        return self._file_line(entry)

    def _dir_line(self, entry: TreeDir) -> str:
        meta = self._dirmeta(entry.meta)
        sums = f"{entry.tree} {entry.meta} " if self._with_checksums else ""
        start = f"d0{stat.S_IMODE(meta.mode):04o} {meta.uid} {meta.gid}      0 "
        return f"{start}{sums}{self._xattrs(meta.xattrs)}{entry.path}\n"

    def _file_line(self, entry: TreeFile) -> str:
        header, size = self._repo.store.read_header(entry.checksum)
        letter, target = ("l", f" -> {header.target}") if header.is_symlink else ("-", "")
        mode = stat.S_IMODE(header.mode)
        sums = f"{entry.checksum} " if self._with_checksums else ""
        start = f"{letter}0{mode:04o} {header.uid} {header.gid} {size:6} "
        return f"{start}{sums}{self._xattrs(header.xattrs)}{entry.path}{target}\n"

    def _dirmeta(self, checksum: Checksum) -> Dirmeta:
        found = self._dirmetas.get(checksum)
        if found is None:
            if len(self._dirmetas) >= _MAX_CACHED:
                self._dirmetas.clear()
            found = self._dirmetas[checksum] = self._repo.load_dirmeta(checksum)
        return found

    def _xattrs(self, xattrs: Xattrs) -> str:
        return f"{{ {format_xattrs(xattrs)} }} " if self._with_xattrs else ""


def format_xattrs(xattrs: Xattrs) -> str:
    """Return xattrs in GVariant text, names with the NUL that they have in the format."""
    return format_text("a(ayay)", tuple((name + b"\0", value) for name, value in xattrs))
