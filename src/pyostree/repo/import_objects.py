"""Copying objects from one local repository to another.

In order of preference an object is hard-linked, copied (sharing blocks where the file system can),
or read and written again, when the two repositories store it differently.
"""

from __future__ import annotations

import stat
from typing import NamedTuple

from pyostree.errors import ObjectNotFoundError, doing
from pyostree.formats.file_header import FileHeader, check_header
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, loose_path
from pyostree.fs.dir import CANNOT_LINK, Dir
from pyostree.fs.file import InputFile, read_start
from pyostree.fs.kernel import copy_content
from pyostree.fs.tempfile import TempFile
from pyostree.fs.xattr import read_fd_xattr, read_fd_xattrs, set_fd_xattr, set_fd_xattrs
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo
from pyostree.repo.store.bare import put_real_symlink
from pyostree.repo.store.bare_split_xattrs import BareSplitXattrsStore
from pyostree.repo.store.bare_user import META_XATTR
from pyostree.repo.store.bare_user_only import check_bare_user_only
from pyostree.repo.store.base import ObjectStore
from pyostree.repo.store.plain_file import read_plain_file
from pyostree.repo.store.structure import check_structure
from pyostree.repo.verify import read_verified, verify_content

_PLAIN_FILE_BYTES = 32 << 10


class Imported(NamedTuple):
    """What became of an object; `bytes_written` is 0 when it was linked or copied as it is."""

    is_new: bool
    bytes_written: int = 0


class _Origin(NamedTuple):
    """A repository to take objects from: the source itself, or one of its parents."""

    store: ObjectStore
    mode: RepoMode
    has_same_owner: bool
    has_same_device: bool


def _missing(name: ObjectName) -> ObjectNotFoundError:
    if name.type is ObjectType.FILE:
        return ObjectNotFoundError(f"Couldn't find file object '{name.checksum}'")
    return ObjectNotFoundError(f"No such metadata object {name}")


class Importer:
    """Copies objects from `source` to `target`; may be used from several threads.

    Args:
        is_trusted: take the source's word that its objects are what their names say.
        only_bare_user_files: refuse content whose mode has bits outside 0775.
        reads_once: what is stored are the very bytes that were checked, since the source may be a
            device that answers twice differently.
    """

    def __init__(
        self,
        source: Repo,
        target: Repo,
        *,
        is_trusted: bool,
        only_bare_user_files: bool = False,
        reads_once: bool = False,
    ) -> None:
        self._target = target
        self._store = target.store
        self._is_trusted = is_trusted
        self._reads_once = reads_once
        self._checks_modes = only_bare_user_files
        own = target.store.objects.stat_self()
        self._origins: list[_Origin] = []
        repo: Repo | None = source
        while repo is not None:
            status = repo.store.objects.stat_self()
            self._origins.append(
                _Origin(
                    repo.store,
                    repo.mode,
                    has_same_owner=status.st_uid == own.st_uid,
                    has_same_device=status.st_dev == own.st_dev,
                )
            )
            repo = repo.parent

    def import_object(self, name: ObjectName) -> Imported:
        """Copy one object, and with a commit its detached metadata.

        Raises:
            ObjectNotFoundError: the source has no such object.
            ChecksumMismatchError: it is corrupt, and not trusted.
        """
        origin = self._find(name)
        if name.type is ObjectType.FILE:
            try:
                return self._import_content(origin, name.checksum)
            except (FileNotFoundError, ObjectNotFoundError):
                if not origin.store.has_own(name):
                    raise _missing(name) from None
                raise
        if name.type is ObjectType.COMMIT:
            self._import_detached(origin, name.checksum)
        return self._import_metadata(origin, name)

    def _find(self, name: ObjectName) -> _Origin:
        if len(self._origins) == 1 and name.type is ObjectType.FILE:
            return self._origins[0]  # whether it is there, opening or linking it will tell
        for origin in self._origins:
            if origin.store.has_own(name):
                return origin
        raise _missing(name)

    def _may_link(self, origin: _Origin) -> bool:
        return not self._reads_once and (self._is_trusted or origin.has_same_owner)

    # -- metadata ------------------------------------------------------------------------

    def _import_detached(self, origin: _Origin, checksum: Checksum) -> None:
        data = origin.store.read_detached(checksum)
        if data is not None:
            if not self._is_trusted:
                check_structure(ObjectType.COMMITMETA, data)
            self._store.write_detached(checksum, data)

    def _import_metadata(self, origin: _Origin, name: ObjectName) -> Imported:
        if name.type is ObjectType.COMMIT:
            tombstone = loose_path(name.checksum, "tombstone-commit")
            self._store.objects.remove(tombstone, missing_ok=True)
        if self._may_link(origin):
            if self._is_trusted:
                origin.store.check_size(name)
            elif name.type is not ObjectType.TOMBSTONE_COMMIT:
                with doing(f"fsck {name}"):
                    read_verified(origin.store, name)
            return self._place(origin, name)
        data = origin.store.read_metadata(name)
        written = self._store.write_metadata(name.type, data, expected=name.checksum)
        return Imported(written.is_new)

    # -- content -------------------------------------------------------------------------

    def _import_content(self, origin: _Origin, checksum: Checksum) -> Imported:
        converts = (
            origin.mode is RepoMode.BARE_USER and self._target.mode is RepoMode.BARE_USER_ONLY
        )
        can_place = self._may_link(origin) and (origin.mode is self._target.mode or converts)
        if converts or self._checks_modes:
            header, _ = origin.store.read_header(checksum)
            check_bare_user_only(checksum, header)  # its link would not hash to its name there
            if converts and not self._has_own_mode(origin, checksum, header):
                can_place = False
        if not can_place:
            return self._rewrite(origin, checksum)
        if not self._is_trusted:
            with doing(f"fsck content object {checksum}"):
                check_header(verify_content(origin.store, checksum))
        return self._place(origin, ObjectName(checksum, ObjectType.FILE))

    def _has_own_mode(self, origin: _Origin, checksum: Checksum, header: FileHeader) -> bool:
        """Tell whether a bare-user object is a file with the very mode that its header says."""
        path = origin.store.path_of(ObjectName(checksum, ObjectType.FILE))
        return origin.store.objects.stat(path).st_mode == header.mode

    def _rewrite(self, origin: _Origin, checksum: Checksum) -> Imported:
        if origin.mode is RepoMode.ARCHIVE and self._target.mode is not RepoMode.ARCHIVE:
            unpacked = self._unpack_plain(origin, checksum)
            if unpacked is not None:
                return unpacked
        with origin.store.open_content(checksum) as content:
            size = content.size
            if self._is_trusted:
                is_new = self._store.write_trusted_content(
                    checksum, content.header, content.chunks(), size=size
                )
            else:
                check_header(content.header)
                is_new = self._store.write_content(
                    content.header, content.chunks(), size=size, expected=checksum
                ).is_new
        return Imported(is_new, size if is_new else 0)

    def _unpack_plain(self, origin: _Origin, checksum: Checksum) -> Imported | None:
        """Unpack a usual object with as few steps as possible; None for the general way."""
        try:
            raw = read_start(origin.store.objects, loose_path(checksum, "filez"), _PLAIN_FILE_BYTES)
        except OSError:
            return None
        file = read_plain_file(raw) if len(raw) < _PLAIN_FILE_BYTES else None
        content = None if file is None else file.inflate()
        if file is None or content is None:
            return None
        if not (self._is_trusted or file.has_checksum(checksum, content)):
            return None
        is_new = self._store.put_content(checksum, file.header, content, is_missing=True)
        return Imported(is_new, file.size if is_new else 0)

    # -- sharing the file ----------------------------------------------------------------

    def _place(self, origin: _Origin, name: ObjectName) -> Imported:
        path = origin.store.path_of(name)
        with doing(f"Importing {name}"):
            if isinstance(self._store, BareSplitXattrsStore) and name.type is ObjectType.FILE:
                _copy_split_xattrs(origin.store, self._store, name.checksum)
            if origin.has_same_owner and origin.has_same_device:
                linked = self._link(origin.store.objects, path)
                if linked is not None:
                    return Imported(linked)
            if not stat.S_ISLNK(origin.store.objects.stat(path).st_mode):
                return Imported(self._copy(origin, name, path))
            if self._target.mode is RepoMode.BARE_SPLIT_XATTRS:
                return Imported(self._copy_symlink(origin, name.checksum))
        return self._rewrite(origin, name.checksum)

    def _copy_symlink(self, origin: _Origin, checksum: Checksum) -> bool:
        header, _ = origin.store.read_header(checksum)
        owner = (header.uid, header.gid)
        return put_real_symlink(self._store, checksum, header, owner=owner, xattrs=())

    def _destination(self) -> Dir:
        staging = self._store.staging
        return self._store.objects if staging is None else staging

    def _link(self, source: Dir, path: str) -> bool | None:
        """Hard-link a loose object; return whether it is new, None when it must be copied."""
        target = self._destination()
        try:
            try:
                source.link(path, target, path)
            except FileNotFoundError:
                target.make_dir(path[:2], exist_ok=True)
                source.link(path, target, path)
        except FileExistsError:
            return False
        except OSError as err:
            if err.errno in CANNOT_LINK:
                return None
            err.add_note("linkat")
            raise
        return True

    def _copy(self, origin: _Origin, name: ObjectName, path: str) -> bool:
        with (
            InputFile.open(origin.store.objects, path) as source,
            TempFile(self._store.temp) as tmp,
        ):
            copy_content(source.fd, tmp.fd)
            status = source.status()
            is_content = name.type is ObjectType.FILE
            if is_content:
                self._copy_attributes(origin, source, tmp)
            tmp.set_mode(stat.S_IMODE(status.st_mode) if is_content else 0o644)
            if is_content and self._target.mode.is_bare:
                tmp.set_times_ns(status.st_atime_ns, status.st_mtime_ns)
            if self._store.settings.sync_objects:
                tmp.sync()
            return self._store.publish_file(tmp, self._destination(), path)

    def _copy_attributes(self, origin: _Origin, source: InputFile, tmp: TempFile) -> None:
        if self._target.mode in (RepoMode.BARE, RepoMode.BARE_SPLIT_XATTRS):
            status = source.status()
            tmp.set_owner(status.st_uid, status.st_gid)
            if self._target.mode is RepoMode.BARE:
                set_fd_xattrs(tmp.fd, read_fd_xattrs(source.fd))
        elif self._target.mode is RepoMode.BARE_USER:
            meta = read_fd_xattr(source.fd, META_XATTR)
            if meta is not None:
                set_fd_xattr(tmp.fd, META_XATTR, meta)


def _copy_split_xattrs(
    source: ObjectStore, target: BareSplitXattrsStore, checksum: Checksum
) -> None:
    assert isinstance(source, BareSplitXattrsStore)  # objects of other modes are written anew
    target.put_raw_xattrs(checksum, source.read_raw_xattrs(checksum))
