"""Putting one file of a commit in its place: hard link, clone or copy; replace, keep or refuse."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from pyostree.errors import FormatError, OstreeError, UnsupportedError, doing
from pyostree.formats.dirtree import FileEntry
from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import Checksum, loose_path
from pyostree.fs.dir import CANNOT_LINK, Dir, random_name
from pyostree.fs.kernel import copy_content
from pyostree.fs.special import make_whiteout_device
from pyostree.fs.tempfile import TempFile
from pyostree.fs.xattr import read_path_xattrs, set_fd_xattrs, set_path_xattrs
from pyostree.progress import UNWATCHED, Watch
from pyostree.repo.checkout_options import CheckoutOptions, Overwrite
from pyostree.repo.checksum_file import checksum_entry
from pyostree.repo.devino import Inode
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo
from pyostree.repo.store.base import ObjectStore
from pyostree.repo.store.records import ContentStat
from pyostree.repo.uncompressed_cache import UncompressedCache

_WHITEOUT = ".wh."
_PASSTHROUGH_WHITEOUT = ".ostree-wh."
_SETID = stat.S_ISUID | stat.S_ISGID


class FileWriter:
    """Writes the files of one checkout; used from several threads."""

    def __init__(self, repo: Repo, options: CheckoutOptions, watch: Watch = UNWATCHED) -> None:
        self._repo = repo
        self._watch = watch
        self._options = options
        self._store = repo.store
        self._stores = tuple(_chain(repo))
        self._work = repo.tmp if repo.writable else None
        self._cache: UncompressedCache | None = None
        if (
            options.use_cache
            and options.user_mode
            and repo.mode is RepoMode.ARCHIVE
            and repo.config.uncompressed_cache
            and repo.writable
        ):
            self._cache = UncompressedCache(repo)
        self._always_copies = options.force_copy or (
            self._cache is None
            and not options.require_hardlinks
            and all(not self._is_linkable(mode, is_symlink=False) for mode, _ in self._stores)
        )

    @property
    def mostly_links(self) -> bool:
        """Whether nearly all files will be hard links to objects as they are."""
        is_linkable = self._is_linkable(self._repo.mode, is_symlink=False)
        return is_linkable and not self._options.force_copy

    def write(self, directory: Dir, entry: FileEntry, place: str = "/") -> None:
        """Put one file or symlink into `directory`.

        Args:
            place: path of the directory in the checkout, with a slash at both ends.

        Raises:
            OSError: there is something of the name and the options say to refuse that.
        """
        name, checksum = entry
        if self._options.passthrough_whiteouts and name.startswith(_PASSTHROUGH_WHITEOUT):
            header, _ = self._store.read_header(checksum)
            if stat.S_ISREG(header.mode):
                self._write_device(directory, name.removeprefix(_PASSTHROUGH_WHITEOUT), header)
                return
        if self._always_copies:
            self._copy(directory, name, checksum, place)
            return
        facts = self._store.stat_content(checksum)
        if self._must_copy(facts) or not self._link(directory, name, checksum, facts):
            self._copy(directory, name, checksum, place)

    def apply_whiteout(self, directory: Dir, entry: FileEntry) -> bool:
        """Remove what the file ``.wh.NAME`` hides; return False when `entry` is no such file.

        Raises:
            FormatError: the name after the prefix is empty or leads elsewhere.
        """
        name, checksum = entry
        if not name.startswith(_WHITEOUT):
            return False
        if not stat.S_ISREG(self._store.stat_content(checksum).mode):
            return False
        hidden = name.removeprefix(_WHITEOUT)
        if not hidden:
            raise FormatError("Invalid empty whiteout ''")
        if hidden in (".", ".."):
            raise FormatError(f"Invalid whiteout '{hidden}'")
        directory.remove_tree(hidden)
        return True

    def _must_copy(self, facts: ContentStat) -> bool:
        if not stat.S_ISREG(facts.mode):
            return False
        # One inode for all empty files of a system would run into the limit of links.
        return facts.size == 0 or (self._options.user_mode and not facts.mode & stat.S_IRUSR)

    # -- hard links ----------------------------------------------------------------------

    def _link(self, directory: Dir, name: str, checksum: Checksum, facts: ContentStat) -> bool:
        """Hard link from this repository, a parent, or the cache; return False to copy."""
        is_symlink = stat.S_ISLNK(facts.mode)
        for mode, store in self._stores:
            if self._is_linkable(mode, is_symlink=is_symlink):
                if self._try_link(store, directory, name, checksum):
                    return True
            elif self._options.require_hardlinks and not (is_symlink and _is_user_mode(mode)):
                raise UnsupportedError(
                    "User repository mode requires user checkout mode to hardlink"
                    if _is_user_mode(mode)
                    else "Bare repository mode cannot hardlink in user checkout mode"
                )
        if self._cache is not None and stat.S_ISREG(facts.mode):
            return self._link_from_cache(self._cache, directory, name, checksum)
        return False

    def _is_linkable(self, mode: RepoMode, *, is_symlink: bool) -> bool:
        if mode is RepoMode.BARE:
            return not self._options.user_mode
        return _is_user_mode(mode) and self._options.user_mode and not is_symlink

    def _try_link(self, store: ObjectStore, directory: Dir, name: str, checksum: Checksum) -> bool:
        try:
            store.link_content(checksum, directory, name)
        except FileExistsError as err:
            err.add_note(_hardlinking(checksum, name))
            self._link_over(store.objects, directory, name, checksum, err)
        except FileNotFoundError:
            return False
        except OSError as err:
            if err.errno in CANNOT_LINK and not self._options.require_hardlinks:
                return False
            err.add_note(_hardlinking(checksum, name))
            raise
        self._record(store.objects, checksum)
        return True

    def _record(self, place: Dir, checksum: Checksum) -> None:
        """Put an object that was linked into the caller's cache."""
        if self._options.devino is not None:
            status = place.stat(loose_path(checksum, "file"))
            self._options.devino[Inode(status.st_dev, status.st_ino)] = checksum

    def _link_over(
        self, source: Dir, directory: Dir, name: str, checksum: Checksum, refusal: OSError
    ) -> None:
        overwrite = self._options.overwrite
        if overwrite is Overwrite.ADD:
            return
        if overwrite is Overwrite.NONE:
            raise refusal
        path = loose_path(checksum, "file")
        mine, there = source.stat(path), directory.stat(name)
        if (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino):
            return
        facts = (mine.st_mode, mine.st_size, mine.st_uid, mine.st_gid)
        is_alike = facts == (there.st_mode, there.st_size, there.st_uid, there.st_gid)
        if is_alike and self._is_same(directory, name, checksum):
            return
        if overwrite is Overwrite.IDENTICAL:
            raise refusal
        self._clear_directory(directory, name)
        tmp = random_name("checkout-union-")
        source.link(path, self._repo.tmp, tmp)
        try:
            self._repo.tmp.rename(tmp, name, to_dir=directory)
        except BaseException:
            self._repo.tmp.remove(tmp, missing_ok=True)
            raise

    def _clear_directory(self, directory: Dir, name: str) -> None:
        if self._options.whiteouts and directory.is_dir(name, follow=False):
            directory.remove_tree(name)

    def _is_same(self, directory: Dir, name: str, checksum: Checksum) -> bool:
        is_user_only = self._repo.mode is RepoMode.BARE_USER_ONLY
        owner = 0 if is_user_only else None
        existing = checksum_entry(
            directory,
            name,
            with_xattrs=not (is_user_only or self._repo.config.disable_xattrs),
            uid=owner,
            gid=owner,
        )
        return existing == checksum

    def _link_from_cache(
        self, cache: UncompressedCache, directory: Dir, name: str, checksum: Checksum
    ) -> bool:
        place = cache.ensure(checksum)
        path = loose_path(checksum, "file")
        try:
            place.link(path, directory, name)
        except FileExistsError as err:
            err.add_note(_hardlinking(checksum, name))
            self._link_over(place, directory, name, checksum, err)
        except OSError as err:
            if err.errno in (*CANNOT_LINK, errno.ENOENT):  # gone: others may collect garbage
                return False
            err.add_note(f"Using new cached uncompressed hardlink of {checksum} to {name}")
            raise
        self._record(place, checksum)
        return True

    # -- copies --------------------------------------------------------------------------

    def _copy(self, directory: Dir, name: str, checksum: Checksum, place: str) -> None:
        with (
            doing(f"Copy checkout of {checksum} to {name}"),
            self._store.open_content(checksum) as content,
        ):
            header = content.header
            if self._options.labels is not None:
                header = self._options.labels.relabel_file(place + name, header)
            if header.is_symlink:
                self._copy_symlink(directory, name, header)
                return
            if self._options.overwrite is Overwrite.ADD and directory.exists(name):
                return
            with TempFile(directory) as tmp:
                if content.raw is not None:
                    if content.size:
                        copy_content(content.raw.fd, tmp.fd)
                else:
                    for chunk in content.chunks():
                        self._watch.check()
                        tmp.write(chunk)
                self._apply_metadata(tmp, header)
                self._place(tmp, directory, name, checksum)

    def _apply_metadata(self, tmp: TempFile, header: FileHeader) -> None:
        mode = stat.S_IMODE(header.mode)
        if self._options.user_mode:
            # Without owner and xattrs of its own, a setuid program would be the user's.
            tmp.set_mode((mode & ~_SETID) | stat.S_IRUSR)
        else:
            tmp.set_owner(header.uid, header.gid)
            set_fd_xattrs(tmp.fd, header.xattrs)
            tmp.set_mode(mode)

    def _place(self, tmp: TempFile, directory: Dir, name: str, checksum: Checksum) -> None:
        match self._options.overwrite:
            case Overwrite.UNION:
                self._clear_directory(directory, name)
                tmp.link_replacing(directory, name, work=self._work)
            case Overwrite.ADD:
                tmp.link(directory, name)
            case Overwrite.NONE:
                if not tmp.link(directory, name):
                    raise _exists("linkat")
            case Overwrite.IDENTICAL:
                if not tmp.link(directory, name) and not self._is_same(directory, name, checksum):
                    raise _exists("linkat")

    def _copy_symlink(self, directory: Dir, name: str, header: FileHeader) -> None:
        try:
            directory.symlink(header.target, name)
        except FileExistsError:
            if not self._replace_with_symlink(directory, name, header.target):
                return
        if not self._options.user_mode:
            directory.chown(name, header.uid, header.gid)
            set_path_xattrs(directory, name, header.xattrs)

    def _replace_with_symlink(self, directory: Dir, name: str, target: str) -> bool:
        """Deal with what is there; return whether a new symlink took its place."""
        match self._options.overwrite:
            case Overwrite.ADD:
                return False
            case Overwrite.UNION:
                self._clear_directory(directory, name)
                directory.remove(name, missing_ok=True)
                directory.symlink(target, name)
                return True
            case Overwrite.IDENTICAL:
                status = directory.stat(name)
                if stat.S_ISLNK(status.st_mode) and directory.read_link(name) == target:
                    return False
        raise _exists("symlinkat")

    # -- whiteouts -----------------------------------------------------------------------

    def _write_device(self, directory: Dir, name: str, header: FileHeader) -> None:
        if not name:
            raise FormatError("Invalid empty overlayfs whiteout ''")
        if name in (".", ".."):
            raise FormatError(f"Invalid overlayfs whiteout '{name}'")
        if directory.exists(name):
            match self._options.overwrite:
                case Overwrite.ADD:
                    return
                case Overwrite.UNION:
                    directory.remove(name)
                case Overwrite.IDENTICAL:
                    self._check_same_device(directory, name, header)
                    return
                case Overwrite.NONE:
                    raise _exists("Creating whiteout char device")
        make_whiteout_device(directory, name)
        if not self._options.user_mode:
            set_path_xattrs(directory, name, header.xattrs)
            directory.chown(name, header.uid, header.gid)
        directory.chmod(name, stat.S_IMODE(header.mode))

    def _check_same_device(self, directory: Dir, name: str, header: FileHeader) -> None:
        there = directory.stat(name)
        lead = f"existing destination file {name}"
        if not stat.S_ISCHR(there.st_mode):
            raise _exists("Creating whiteout char device")
        if read_path_xattrs(directory, name) != header.xattrs:
            raise OstreeError(f"{lead} xattrs don't match")
        if there.st_gid != header.gid:
            raise OstreeError(f"{lead} does not match gid {header.gid}")
        if there.st_uid != header.uid:
            raise OstreeError(f"{lead} does not match uid {header.uid}")
        if stat.S_IMODE(there.st_mode) != stat.S_IMODE(header.mode):
            raise OstreeError(f"{lead} does not match mode {stat.S_IMODE(header.mode):o}")


def _chain(repo: Repo) -> Iterator[tuple[RepoMode, ObjectStore]]:
    current: Repo | None = repo
    while current is not None:
        yield current.mode, current.store
        current = current.parent


def _is_user_mode(mode: RepoMode) -> bool:
    return mode in (RepoMode.BARE_USER, RepoMode.BARE_USER_ONLY)


def _hardlinking(checksum: Checksum, name: str) -> str:
    return f"Hardlinking {loose_path(checksum, 'file')} to {name}"


def _exists(call: str) -> FileExistsError:
    err = FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    err.add_note(call)
    return err
