"""Checking out: a commit's tree becomes a directory of hard links, clones or copies.

The calling thread walks the dirtrees and makes directories; batches of files go to a pool. A
directory gets its final mode, owner and time when everything below it is done.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import NamedTuple

from pyostree.errors import CorruptObjectError, OstreeError, doing
from pyostree.formats.dirmeta import Dirmeta
from pyostree.formats.dirtree import DirEntry, Dirtree, FileEntry
from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.fs.xattr import Xattrs, set_fd_xattrs
from pyostree.progress import UNWATCHED, Phase, Watch
from pyostree.repo.checkout_files import FileWriter
from pyostree.repo.checkout_options import CheckoutOptions, Overwrite
from pyostree.repo.modes import RepoMode
from pyostree.repo.parallel import map_ordered, worker_pool
from pyostree.repo.processes import SharedWork, Sharing, may_fork
from pyostree.repo.repo import Repo
from pyostree.repo.tree import CommitTree, TreeFile
from pyostree.repo.tree_count import count_files

OPAQUE_MARKER = ".wh..wh..opq"
# Bounds of one batch: files, and directories, whose handles stay open until it is done.
_BATCH_FILES = 128
_BATCH_DIRS = 32
_BATCHES_AHEAD = 8
_NEW_DIR_MODE = 0o700
_BARE_USER_ONLY_DIR_BITS = 0o775


def checkout(  # noqa: PLR0913  # what, where to and how
    repo: Repo,
    commit: Checksum,
    parent: Dir,
    name: str,
    options: CheckoutOptions = CheckoutOptions(),  # noqa: B008  # frozen
    *,
    subpath: str = "/",
    watch: Watch = UNWATCHED,
) -> None:
    """Check out (a directory of) a commit as `name` in `parent`.

    Args:
        name: the new directory, or ``.`` to check out into `parent` itself.
        subpath: the directory of the commit; a file is put into a new directory `name`.
        watch: hears of the files that are written; cancelled, what is there then stays.

    Raises:
        PathNotFoundError: the commit has no such path.
        OSError: the destination exists and `options` do not allow it, or writing failed.
    """
    if repo.mode is RepoMode.BARE_USER_ONLY:
        options = options._replace(user_mode=True)
    target = CommitTree(repo, commit).look_up(subpath)
    if options.labels is not None:
        options = options._replace(labels=options.labels.below(target))
    writer = FileWriter(repo, options, watch)
    if isinstance(target, TreeFile):
        _checkout_file(writer, parent, name, (target.path.rpartition("/")[2], target.checksum))
    else:
        if watch.is_listening:
            watch.begin(Phase.SCAN)
            watch.begin(Phase.WRITE, count_files(repo, target.tree, watch))
        _Walk(repo, options, writer, watch).run(parent, (name, target.tree, target.meta))
    watch.finish()


def _checkout_file(writer: FileWriter, parent: Dir, name: str, entry: FileEntry) -> None:
    if name == ".":
        writer.write(parent, entry)
        return
    parent.make_dir(name, _NEW_DIR_MODE, exist_ok=True)
    with parent.open_dir(name) as directory:
        writer.write(directory, entry)


class _Directory:
    """A directory being filled; `waiting` counts the batches and subdirectories not yet done."""

    __slots__ = ("handle", "is_new", "meta", "parent", "path", "tree", "waiting")

    def __init__(
        self,
        handle: Dir,
        path: str,
        parent: _Directory | None,
        *,
        tree: Checksum,
        meta: Dirmeta,
        is_new: bool,
    ) -> None:
        self.handle = handle
        self.tree = tree
        self.path = path
        self.parent = parent
        self.meta = meta
        self.is_new = is_new
        self.waiting = 0


class _Batch(NamedTuple):
    directories: list[_Directory]
    files: list[tuple[_Directory, FileEntry]]


def _pack_batch(batch: _Batch) -> tuple[list[tuple[str, str, list[FileEntry]]], list[int]]:
    """Return the files of a batch by directory, and the directories' descriptors."""
    places: dict[_Directory, list[FileEntry]] = {}
    for directory, entry in batch.files:
        places.setdefault(directory, []).append(entry)
    packed = [
        (directory.handle.label, directory.path, files) for directory, files in places.items()
    ]
    return packed, [directory.handle.fileno() for directory in places]


class _Walk:
    """Creates the directories of one checkout and hands their files to the pool."""

    def __init__(
        self, repo: Repo, options: CheckoutOptions, writer: FileWriter, watch: Watch
    ) -> None:
        self._repo = repo
        self._watch = watch
        self._options = options
        self._writer = writer
        self._metas: dict[Checksum, Dirmeta] = {}
        self._limit_modes = options.limit_dir_modes or repo.mode is RepoMode.BARE_USER_ONLY
        self._repo_device = repo.dir.stat_self().st_dev

    def run(self, parent: Dir, root: DirEntry) -> None:
        batches = self._batches(parent, root)
        # What a helper puts into a cache would be lost.
        if self._options.devino is None and (self._writer.mostly_links or may_fork()):
            sharing = Sharing(self._write_batch, _pack_batch, self._write_packed)
            with SharedWork(sharing, lambda batch, _: self._finish_batch(batch)) as shared:
                for batch in batches:
                    shared.submit(batch)
                shared.finish()
            return
        with worker_pool() as pool:
            done = map_ordered(pool, self._write_batch, batches, ahead=_BATCHES_AHEAD)
            for batch in done:
                self._finish_batch(batch)

    def _finish_batch(self, batch: _Batch) -> None:
        self._watch.advance(len(batch.files))
        for directory in batch.directories:
            self._done(directory)

    def _write_batch(self, batch: _Batch) -> _Batch:
        write = self._writer.write
        for directory, entry in batch.files:
            write(directory.handle, entry, directory.path)
        return batch

    def _write_packed(self, packed: list[tuple[str, str, list[FileEntry]]], fds: list[int]) -> None:
        handles = [Dir(fd, label) for fd, (label, _, _) in zip(fds, packed, strict=True)]
        for handle, (_, path, files) in zip(handles, packed, strict=True):
            with handle:
                for entry in files:
                    self._writer.write(handle, entry, path)

    def _done(self, directory: _Directory | None) -> None:
        """Count one part of a directory as finished, and finish those that are complete."""
        while directory is not None:
            directory.waiting -= 1
            if directory.waiting:
                return
            self._finish(directory)
            directory = directory.parent

    # -- walking -------------------------------------------------------------------------

    def _batches(self, parent: Dir, root: DirEntry) -> Iterator[_Batch]:
        batch = _Batch([], [])
        stack: list[tuple[_Directory | None, DirEntry]] = [(None, root)]
        while stack:
            above, entry = stack.pop()
            directory, content = self._enter(parent, above, entry)
            if directory is None:
                self._done(above)
                continue
            below = [item for item in content.dirs if not self._is_skipped_dir(directory, item)]
            stack.extend((directory, item) for item in reversed(below))
            files = [item for item in content.files if not self._is_skipped(directory, item)]
            starts = range(0, max(len(files), 1), _BATCH_FILES)
            directory.waiting = len(below) + len(starts)
            for start in starts:
                part = files[start : start + _BATCH_FILES]
                batch.directories.append(directory)
                batch.files.extend((directory, item) for item in part)
                if len(batch.files) >= _BATCH_FILES or len(batch.directories) >= _BATCH_DIRS:
                    yield batch
                    batch = _Batch([], [])
        yield batch

    def _is_skipped(self, directory: _Directory, entry: FileEntry) -> bool:
        """Tell whether a file is left out; whiteouts do their work here.

        They must be over before the directories and files beside them are made, which may have
        the very names that they remove.
        """
        skipped = self._options.skip_list
        if skipped and directory.path + entry[0] in skipped:
            return True
        if not self._options.whiteouts:
            return False
        return entry[0] == OPAQUE_MARKER or self._writer.apply_whiteout(directory.handle, entry)

    def _is_skipped_dir(self, directory: _Directory, entry: DirEntry) -> bool:
        skipped = self._options.skip_list
        path = directory.path + entry[0]
        return bool(skipped) and (path in skipped or f"{path}/" in skipped)

    # -- one directory -------------------------------------------------------------------

    def _enter(
        self, start: Dir, above: _Directory | None, entry: DirEntry
    ) -> tuple[_Directory | None, Dirtree]:
        name, tree, meta_checksum = entry
        if above is None and self._options.skip_list & {"/"}:
            return None, Dirtree()
        content = self._repo.load_dirtree(tree)
        if content.dirs:
            self._check_no_loop(above, tree)
        meta = self._load_meta(meta_checksum)
        parent = start if above is None else above.handle
        is_new = self._make(parent, name, content, is_root=above is None)
        # The destination itself is the caller's choice, even by a link; links below are not.
        handle = parent.open_dir(name, follow=above is None) if name != "." else parent.duplicate()
        if self._options.require_hardlinks:
            self._check_device(handle)
        path = "/" if above is None else f"{above.path}{name}/"
        if is_new and not self._options.user_mode:
            xattrs = self._dir_xattrs(path, meta)
            with doing(f"Processing dirmeta {meta_checksum}"):
                set_fd_xattrs(handle.fileno(), xattrs)
        directory = _Directory(handle, path, above, tree=tree, meta=meta, is_new=is_new)
        return directory, content

    def _dir_xattrs(self, path: str, meta: Dirmeta) -> Xattrs:
        labels = self._options.labels
        return meta.xattrs if labels is None else labels.relabel(path, meta.mode, meta.xattrs)

    def _check_no_loop(self, above: _Directory | None, tree: Checksum) -> None:
        # Hashes rule it out, but a forged store could make a checkout fill the disk.
        while above is not None:
            if above.tree == tree:
                raise CorruptObjectError(f"{tree}.dirtree contains itself")
            above = above.parent

    def _load_meta(self, checksum: Checksum) -> Dirmeta:
        meta = self._metas.get(checksum)
        if meta is None:
            meta = self._metas[checksum] = self._repo.load_dirmeta(checksum)
        return meta

    def _make(self, parent: Dir, name: str, content: Dirtree, *, is_root: bool) -> bool:
        """Create a directory unless the options let an existing one stand; tell whether new."""
        if name == "." and self._options.overwrite is not Overwrite.NONE:
            return False
        whiteouts = self._options.whiteouts
        if whiteouts and any(file == OPAQUE_MARKER for file, _ in content.files):
            parent.remove_tree(name)
        try:
            return parent.make_dir(name, _NEW_DIR_MODE)
        except FileExistsError:
            if self._options.overwrite is Overwrite.NONE:
                raise
        if whiteouts and not is_root and not parent.is_dir(name, follow=False):
            parent.remove(name)
            return parent.make_dir(name, _NEW_DIR_MODE)
        return False

    def _check_device(self, handle: Dir) -> None:
        device = handle.stat_self().st_dev
        if device != self._repo_device:
            raise OstreeError(
                "Unable to do hardlink checkout across devices "
                f"(src={self._repo_device} destination={device})"
            )

    def _finish(self, directory: _Directory) -> None:
        with directory.handle as handle:
            if not directory.is_new:
                return
            mode = stat.S_IMODE(directory.meta.mode)
            if self._limit_modes:
                mode &= _BARE_USER_ONLY_DIR_BITS
            handle.chmod_self(mode)
            if not self._options.user_mode:
                handle.chown_self(directory.meta.uid, directory.meta.gid)
                if mode & (stat.S_ISUID | stat.S_ISGID):
                    handle.chmod_self(mode)
            if not self._options.force_copy:
                handle.set_mtime_self(0)
