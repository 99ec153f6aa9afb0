"""Mode bare-user-only: content and permission bits, without owners or xattrs."""

from __future__ import annotations

import stat

from pyostree.errors import FormatError
from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import Checksum, loose_path
from pyostree.fs.dir import Dir
from pyostree.fs.tempfile import TempFile
from pyostree.repo.store.bare import adopt_file, open_regular, put_real_symlink
from pyostree.repo.store.base import ObjectStore
from pyostree.repo.store.content import OpenContent
from pyostree.repo.store.records import Adoptable, ContentStat

_ALLOWED_BITS = 0o775


class BareUserOnlyStore(ObjectStore):
    """Plain files; everything belongs to root as far as checksums are concerned."""

    def _open(self, place: Dir, path: str) -> OpenContent:
        file = open_regular(place, path)
        if file is None:
            mode = place.stat(path).st_mode
            return OpenContent(FileHeader(0, 0, mode, place.read_link(path)), 0, None)
        status = file.status()
        return OpenContent(FileHeader(0, 0, status.st_mode), status.st_size, file)

    def _check_writable_header(self, checksum: Checksum, header: FileHeader) -> None:
        check_bare_user_only(checksum, header)

    def stat_content(self, checksum: Checksum) -> ContentStat:
        """Return mode and size from the file itself, without opening it."""
        status = self.objects.try_stat(loose_path(checksum, "file"))
        if status is None:
            return super().stat_content(checksum)
        return ContentStat(status.st_mode, status.st_size)

    def _apply_metadata(self, tmp: TempFile, header: FileHeader) -> None:
        tmp.set_mode(stat.S_IMODE(header.mode))
        tmp.set_mtime_ns(0)

    def _put_symlink(self, checksum: Checksum, header: FileHeader) -> bool:
        return put_real_symlink(self, checksum, header, owner=None, xattrs=())

    def adopt(self, checksum: Checksum, header: FileHeader, source: Adoptable) -> None:
        """Rename a file into the store after giving it the mode of `header`."""
        self._check_writable_header(checksum, header)
        source.file.set_mode(stat.S_IMODE(header.mode))
        adopt_file(self, checksum, source)


def check_bare_user_only(checksum: Checksum, header: FileHeader) -> None:
    """Raise `FormatError` for a regular file whose mode such a repository may not hold."""
    bad = stat.S_IMODE(header.mode) & ~_ALLOWED_BITS
    if bad and stat.S_ISREG(header.mode):
        raise FormatError(
            f"Content object {checksum}: invalid mode 0{header.mode:04o} with bits 0{bad:04o}"
        )
