"""Mode bare-split-xattrs: like bare, with xattrs in objects of their own.

```
XX/REST.file               content, owner and mode
XX/REST.file-xattrs-link   its xattrs: a hard link to, or a copy of, the next
YY/REST.file-xattrs        encoded xattrs, named by their own checksum
```

Only whole objects of another such repository are taken in. Writing others is refused, as in the
reference, whose experimental switch writes files that lack owner, mode and xattrs.
"""

from __future__ import annotations

import hashlib
import stat

from pyostree.errors import ObjectNotFoundError, UnsupportedError
from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, loose_path
from pyostree.formats.xattrs import decode_xattrs
from pyostree.fs.dir import CANNOT_LINK, Dir
from pyostree.fs.file import InputFile
from pyostree.fs.tempfile import TempFile
from pyostree.fs.xattr import Xattrs
from pyostree.repo.store.bare import BareStore

# The kernel's limit on all xattrs of a file is far below.
_MAX_XATTRS_BYTES = 16 << 20


class BareSplitXattrsStore(BareStore):
    """The xattrs of ``X.file`` are the content of ``X.file-xattrs-link``."""

    def _xattrs(self, file: InputFile | None, place: Dir, path: str) -> Xattrs:
        return decode_xattrs(self._read_link(f"{path}-xattrs-link"))

    def _read_link(self, path: str) -> bytes:
        for place in self.places():
            try:
                return place.read_file(path, max_bytes=_MAX_XATTRS_BYTES, follow=False)
            except FileNotFoundError as err:
                reason = err.strerror
        raise ObjectNotFoundError(f"openat({path}): {reason}")

    def read_raw_xattrs(self, checksum: Checksum) -> bytes:
        """Return the encoded xattrs of an own content object.

        Raises:
            ObjectNotFoundError: the object is incomplete.
        """
        return self._read_link(loose_path(checksum, "file-xattrs-link"))

    def put_raw_xattrs(self, checksum: Checksum, raw: bytes) -> None:
        """Store the encoded xattrs of a content object, before the object itself."""
        name = ObjectName(Checksum(hashlib.sha256(raw).digest()), ObjectType.FILE_XATTRS)
        path, link = self.path_of(name), loose_path(checksum, "file-xattrs-link")
        if not self.has_own(name):
            self._write_named(path, raw)
        destination = self.destination()
        holder = self.objects if self.objects.exists(path) else destination
        destination.make_dir(link[:2], exist_ok=True)
        try:
            holder.link(path, destination, link)
        except FileExistsError:
            pass
        except OSError as err:
            if err.errno not in CANNOT_LINK:
                raise
            self._write_named(link, raw)

    # -- a file is whole with its xattrs only ----------------------------------------------

    def has(self, name: ObjectName) -> bool:
        """Tell whether this repository or a parent has the object, a file with its xattrs."""
        own = self.has_own(name) and self._has_link(name, self.places())
        return own or (self.parent is not None and self.parent.has(name))

    def is_published(self, name: ObjectName) -> bool:
        """As `has`, leaving out what the running transaction has staged."""
        places = (self.objects,)
        own = self.objects.exists(self.path_of(name)) and self._has_link(name, places)
        return own or (self.parent is not None and self.parent.has(name))

    def published_names(self, prefix: str) -> frozenset[str]:
        """As the method of the base, leaving out files without their xattrs."""
        names = super().published_names(prefix)
        return frozenset(
            name for name in names if not name.endswith(".file") or f"{name}-xattrs-link" in names
        )

    def _has_link(self, name: ObjectName, places: tuple[Dir, ...]) -> bool:
        if name.type is not ObjectType.FILE:
            return True
        link = loose_path(name.checksum, "file-xattrs-link")
        return any(place.exists(link) for place in places)

    def delete(self, name: ObjectName) -> None:
        """Remove a published object; with a file its xattrs, unless others share them.

        The file goes last: interrupted, the rest would never be found, since only files are listed.
        """
        if name.type is ObjectType.FILE:
            link = loose_path(name.checksum, "file-xattrs-link")
            self._remove_unshared(link)
            self.objects.remove(link, missing_ok=True)
        super().delete(name)

    def _remove_unshared(self, link: str) -> None:
        """Remove the xattrs of which `link` is a link or copy if it is the last of them."""
        status = self.objects.try_stat(link)
        if status is None or not stat.S_ISREG(status.st_mode):
            return
        if status.st_size > _MAX_XATTRS_BYTES:
            return  # nonsense, of which there is no original
        raw = self.objects.read_file(link, max_bytes=_MAX_XATTRS_BYTES, follow=False)
        path = loose_path(Checksum(hashlib.sha256(raw).digest()), "file-xattrs")
        shared = self.objects.try_stat(path)
        if shared is None:
            return
        is_linked = (shared.st_dev, shared.st_ino) == (status.st_dev, status.st_ino)
        if shared.st_nlink == (2 if is_linked else 1):
            self.objects.remove(path)

    def _check_writable_header(self, checksum: Checksum, header: FileHeader) -> None:
        if not self.settings.writes_split_xattrs:
            raise UnsupportedError("Not allowed due to repo mode")

    def _apply_metadata(self, tmp: TempFile, header: FileHeader) -> None:
        # What is missing makes a check fail: others must see that the reference does not write
        # this mode yet, and read the same files from ours.
        tmp.set_mode(0o644)
        tmp.set_mtime_ns(0)

    def _put_symlink(self, checksum: Checksum, header: FileHeader) -> bool:
        with TempFile(self.temp) as tmp:
            return self._publish(tmp, checksum, header)
