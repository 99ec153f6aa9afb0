"""Mode bare: content objects are files as they are deployed, with owner, mode and xattrs."""

from __future__ import annotations

import errno
import hashlib
import stat

from pyostree.errors import FormatError, OstreeError
from pyostree.formats.file_header import FileHeader, encode_header
from pyostree.formats.objects import Checksum, loose_path
from pyostree.fs.dir import Dir, random_name
from pyostree.fs.file import InputFile
from pyostree.fs.kernel import rename_noreplace
from pyostree.fs.tempfile import TempFile
from pyostree.fs.xattr import Xattrs, read_path_xattrs, set_fd_xattrs, set_path_xattrs
from pyostree.repo.store.base import ObjectStore
from pyostree.repo.store.content import OpenContent
from pyostree.repo.store.records import Adoptable, ContentStat

_ONE_READ_BYTES = 1 << 20


class BareStore(ObjectStore):
    """Regular files and symlinks, ready for hard links."""

    def _open(self, place: Dir, path: str) -> OpenContent:
        file = open_regular(place, path)
        if file is None:
            return self._open_symlink(place, path)
        try:
            status = file.status()
            xattrs = self._xattrs(file, place, path)
        except BaseException:
            file.close()
            raise
        header = FileHeader(status.st_uid, status.st_gid, status.st_mode, "", xattrs)
        return OpenContent(header, status.st_size, file)

    def _open_symlink(self, place: Dir, path: str) -> OpenContent:
        status = place.stat(path)
        target = place.read_link(path)
        xattrs = self._xattrs(None, place, path)
        header = FileHeader(status.st_uid, status.st_gid, status.st_mode, target, xattrs)
        return OpenContent(header, 0, None)

    def _xattrs(self, file: InputFile | None, place: Dir, path: str) -> Xattrs:
        if self.settings.disable_xattrs:
            return ()
        return file.xattrs() if file is not None else read_path_xattrs(place, path)

    def hash_content(self, checksum: Checksum) -> tuple[FileHeader, Checksum]:
        """Return the header of an object and the checksum that it really has."""
        return self._hash_regular(checksum) or super().hash_content(checksum)

    def _hash_regular(self, checksum: Checksum) -> tuple[FileHeader, Checksum] | None:
        """Hash an own regular file with few calls; a check has hundreds of thousands to do.

        Returns None for whatever else there is, or goes wrong, for the general way to deal with.
        """
        path = loose_path(checksum, "file")
        try:
            file = InputFile.open(self.objects, path)
        except OSError:
            return None
        try:
            status = file.status()
            if not stat.S_ISREG(status.st_mode):
                return None
            xattrs = self._xattrs(file, self.objects, path)
            header = FileHeader(status.st_uid, status.st_gid, status.st_mode, "", xattrs)
            digest = hashlib.sha256(encode_header(header))
            if status.st_size < _ONE_READ_BYTES:
                data = file.read(status.st_size + 1)  # one byte less tells that the end is reached
                digest.update(data)
                if len(data) == status.st_size:
                    return header, Checksum(digest.digest())
            for chunk in file.chunks():
                digest.update(chunk)
            return header, Checksum(digest.digest())
        except (OSError, OstreeError):
            return None
        finally:
            file.close()

    def stat_content(self, checksum: Checksum) -> ContentStat:
        """Return mode and size from the file itself, without opening it."""
        status = self.objects.try_stat(loose_path(checksum, "file"))
        if status is None:
            return super().stat_content(checksum)
        return ContentStat(status.st_mode, status.st_size)

    def _apply_metadata(self, tmp: TempFile, header: FileHeader) -> None:
        tmp.set_owner(header.uid, header.gid)
        tmp.set_mode(stat.S_IMODE(header.mode))  # after chown, which clears setuid
        if header.xattrs and not self.settings.disable_xattrs:
            set_fd_xattrs(tmp.fd, header.xattrs)
        tmp.set_mtime_ns(0)

    def _put_symlink(self, checksum: Checksum, header: FileHeader) -> bool:
        xattrs = () if self.settings.disable_xattrs else header.xattrs
        owner = (header.uid, header.gid)
        return put_real_symlink(self, checksum, header, owner=owner, xattrs=xattrs)

    def adopt(self, checksum: Checksum, header: FileHeader, source: Adoptable) -> None:
        """Rename an unmodified file into the store."""
        adopt_file(self, checksum, source)


def adopt_file(store: ObjectStore, checksum: Checksum, source: Adoptable) -> None:
    """Rename a file whose metadata is right already into the store, unless it has the object.

    Raises:
        OstreeError: it is not the file that was hashed any more.
    """
    source.check_unchanged()
    if store.has_own_content(checksum):
        source.directory.remove(source.name)
        return
    source.file.set_mtime_ns(0)
    if store.settings.sync_objects:
        source.file.sync()
    path = loose_path(checksum, "file")
    destination = store.destination()
    destination.make_dir(path[:2], exist_ok=True)
    if not rename_noreplace(source.directory, source.name, destination, path):
        source.directory.remove(source.name)
    elif not source.file.is_named(destination, path):
        destination.rename(path, source.name, to_dir=source.directory)
        raise source.changed()


def open_regular(place: Dir, path: str) -> InputFile | None:
    """Open a loose object; None when it is a symbolic link.

    Raises:
        FormatError: it is neither a regular file nor a symlink.
    """
    try:
        file = InputFile.open(place, path)
    except OSError as err:
        if err.errno == errno.ELOOP:
            return None
        raise
    if not stat.S_ISREG(file.status().st_mode):
        file.close()
        raise FormatError("Not a regular file or symlink")
    return file


def put_real_symlink(
    store: ObjectStore,
    checksum: Checksum,
    header: FileHeader,
    *,
    owner: tuple[int, int] | None,
    xattrs: Xattrs,
) -> bool:
    """Store a symlink object as a symlink; return whether it is new."""
    tmp = random_name("tmplink.")
    store.temp.symlink(header.target, tmp)
    try:
        if owner is not None:
            store.temp.chown(tmp, *owner)
        set_path_xattrs(store.temp, tmp, xattrs)
        path = loose_path(checksum, "file")
        destination = store.destination()
        destination.make_dir(path[:2], exist_ok=True)
        renamed = rename_noreplace(store.temp, tmp, destination, path)
    except BaseException:
        store.temp.remove(tmp, missing_ok=True)
        raise
    if not renamed:
        store.temp.remove(tmp, missing_ok=True)
    return renamed
