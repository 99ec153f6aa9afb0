"""Mode bare-split-xattrs: like bare, with xattrs in objects of their own; read only."""

from __future__ import annotations

from pyostree.errors import UnsupportedError
from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import Checksum
from pyostree.formats.xattrs import decode_xattrs
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.fs.tempfile import TempFile
from pyostree.fs.xattr import Xattrs
from pyostree.repo.store.bare import BareStore

# The kernel's limit on all xattrs of a file is far below.
_MAX_XATTRS_BYTES = 16 << 20


class BareSplitXattrsStore(BareStore):
    """The xattrs of ``X.file`` are the content of ``X.file-xattrs-link``."""

    def _xattrs(self, file: InputFile | None, place: Dir, path: str) -> Xattrs:
        link = path.removesuffix(".file") + ".file-xattrs-link"
        raw = self.objects.read_file(link, max_bytes=_MAX_XATTRS_BYTES, follow=False)
        return decode_xattrs(raw)

    def _check_writable_header(self, checksum: Checksum, header: FileHeader) -> None:
        raise UnsupportedError("Not allowed due to repo mode")

    def _apply_metadata(self, tmp: TempFile, header: FileHeader) -> None:
        raise UnsupportedError("Not allowed due to repo mode")

    def _put_symlink(self, checksum: Checksum, header: FileHeader) -> bool:
        raise UnsupportedError("Not allowed due to repo mode")
