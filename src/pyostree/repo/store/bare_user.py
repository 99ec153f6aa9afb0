"""Mode bare-user: an unprivileged user's files, their metadata in ``user.ostreemeta``."""

from __future__ import annotations

import errno
import os
import stat

from pyostree.errors import FormatError
from pyostree.formats.file_header import (
    FileHeader,
    decode_bare_user_meta,
    encode_bare_user_meta,
)
from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.fs.tempfile import TempFile
from pyostree.fs.xattr import set_fd_xattr
from pyostree.repo.store.bare import open_regular
from pyostree.repo.store.base import ObjectStore
from pyostree.repo.store.content import OpenContent

META_XATTR = "user.ostreemeta"
_PATH_MAX = 4096


class BareUserStore(ObjectStore):
    """Regular files for everything: a symlink is a file that holds its target and a NUL."""

    def _open(self, place: Dir, path: str) -> OpenContent:
        file = open_regular(place, path)
        if file is None:
            raise FormatError("Not a regular file or symlink")
        try:
            return self._describe(file)
        except BaseException:
            file.close()
            raise

    def _describe(self, file: InputFile) -> OpenContent:
        raw = file.xattr(META_XATTR)
        if raw is None:
            err = OSError(errno.ENODATA, os.strerror(errno.ENODATA))
            err.add_note(f"fgetxattr({META_XATTR})")
            raise err
        header = decode_bare_user_meta(raw)
        if stat.S_ISREG(header.mode):
            return OpenContent(header, file.status().st_size, file)
        if not stat.S_ISLNK(header.mode):
            raise FormatError("Not a regular file or symlink")
        target = file.read_exactly(_PATH_MAX + 1).partition(b"\0")[0]
        file.close()
        return OpenContent(header._replace(target=os.fsdecode(target)), 0, None)

    def _apply_metadata(self, tmp: TempFile, header: FileHeader) -> None:
        set_fd_xattr(tmp.fd, META_XATTR, encode_bare_user_meta(header))
        if header.is_symlink:
            tmp.set_mode(0o644)
        else:
            # The owner must be able to read it; what others may do is not stored here.
            tmp.set_mode((header.mode & 0o775) | 0o400)
        tmp.set_mtime_ns(0)

    def _put_symlink(self, checksum: Checksum, header: FileHeader) -> bool:
        with TempFile(self.temp) as tmp:
            tmp.write(os.fsencode(header.target) + b"\0")
            return self._publish(tmp, checksum, header)
