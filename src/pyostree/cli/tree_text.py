"""Lines of ``ls``: what a tree's entries look like as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from stat import S_ISLNK

from pyostree.formats.dirmeta import Dirmeta
from pyostree.formats.dirtree import Dirtree
from pyostree.formats.gvariant import format_text
from pyostree.formats.objects import Checksum
from pyostree.formats.xattrs import Xattrs
from pyostree.repo.repo import Repo
from pyostree.repo.store.glance import header_reader
from pyostree.repo.tree import TreeDir

# A tree has few kinds of directories; a forged one must not fill the memory.
_MAX_CACHED = 4096


class TreePrinter:
    """Makes lines of entries, each with its newline."""

    def __init__(self, repo: Repo, *, with_checksums: bool, with_xattrs: bool) -> None:
        self._repo = repo
        self._with_checksums = with_checksums
        self._with_xattrs = with_xattrs
        self._read_header = header_reader(repo.store, with_xattrs=with_xattrs)
        self._dirmetas: dict[Checksum, Dirmeta] = {}

    def dir_line(self, entry: TreeDir) -> str:
        """Return the line of a directory."""
        meta = self._dirmeta(entry.meta)
        sums = f"{entry.tree} {entry.meta} " if self._with_checksums else ""
        start = f"d0{meta.mode & 0o7777:04o} {meta.uid} {meta.gid}      0 "
        return f"{start}{sums}{self._xattrs(meta.xattrs)}{entry.path}\n"

    def lines(self, directories: Iterable[tuple[TreeDir, Dirtree]]) -> Iterator[str]:
        """Yield the lines of directories, each with those of its files."""
        for directory, content in directories:
            yield self.dir_line(directory)
            yield from self.file_lines(directory.path.rstrip("/") + "/", content.files)

    def file_lines(self, lead: str, files: Iterable[tuple[str, Checksum]]) -> Iterator[str]:
        """Yield the lines of files and links, whose names follow on `lead` in their paths."""
        read_header = self._read_header
        has_more = self._with_checksums or self._with_xattrs
        for name, checksum in files:
            (uid, gid, mode, target, xattrs), size = read_header(checksum)
            letter, end = ("l", f"{name} -> {target}") if S_ISLNK(mode) else ("-", name)
            start = f"{letter}0{mode & 0o7777:04o} {uid} {gid} {size:6} "
            if has_more:
                start += f"{checksum} " if self._with_checksums else ""
                start += self._xattrs(xattrs)
            yield f"{start}{lead}{end}\n"

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
    if not xattrs:
        return "@a(ayay) []"
    return format_text("a(ayay)", tuple((name + b"\0", value) for name, value in xattrs))
