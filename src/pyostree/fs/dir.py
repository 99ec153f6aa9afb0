"""`Dir`: a directory handle whose methods work on names relative to it.

Names handed in are one component, or a path that the caller built itself from safe parts (such as
``objects/ab/cdef.file``); a path from outside is walked with `Dir.walk`, which follows no links.
Errors are `OSError` with the name of the failing call as a note, the way the reference words them.
"""

from __future__ import annotations

import errno
import os
import stat as stat_bits
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pyostree.fs.descriptor import read_all, system_call, write_all
from pyostree.fs.dir_handle import DirHandle
from pyostree.fs.names import hidden_beside, random_name

__all__ = ["CANNOT_LINK", "Dir", "random_name", "read_all", "system_call", "write_all"]

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
# Link counts may be exhausted, and file systems differ: a copy serves as well.
CANNOT_LINK = (errno.EMLINK, errno.EXDEV, errno.EPERM)


@contextmanager
def _removed_on_error(directory: Dir, name: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            os.unlink(name, dir_fd=directory.fileno())
        raise


class Dir(DirHandle):
    """One open directory; closed by ``with`` or `close`. `label` is for messages only."""

    __slots__ = ()

    # -- directories below ---------------------------------------------------------------

    def make_dir(self, name: str, mode: int = 0o777, *, exist_ok: bool = False) -> bool:
        """Create a directory with `mode` minus the umask; return whether it is new."""
        try:
            os.mkdir(name, mode, dir_fd=self._fd)
        except FileExistsError as err:
            if exist_ok and self.is_dir(name):
                return False
            err.add_note("mkdirat")
            raise
        except OSError as err:
            err.add_note("mkdirat")
            raise
        return True

    def make_dirs(self, path: str, mode: int = 0o777) -> None:
        """Create `path` and its parents, those that exist are left alone."""
        done = ""
        for part in path.split("/"):
            done = f"{done}/{part}" if done else part
            if part:
                self.make_dir(done, mode, exist_ok=True)

    # -- writing -------------------------------------------------------------------------

    def create_file(self, name: str, data: bytes = b"", *, mode: int = 0o644) -> bool:
        """Create `name` unless it exists; return whether it was created. Not durable."""
        try:
            fd = os.open(name, _NEW_FILE, mode, dir_fd=self._fd)
        except FileExistsError:
            return False
        except OSError as err:
            err.add_note(f"openat({name})")
            raise
        try:
            write_all(fd, data)
        finally:
            os.close(fd)
        return True

    def replace_file(
        self,
        name: str,
        data: bytes,
        *,
        mode: int = 0o644,
        sync: bool = True,
        work: Dir | None = None,
    ) -> None:
        """Give `name` new content and exactly `mode`; a crash leaves the old bytes or the new.

        Args:
            sync: whether content and name must be on the disk when this returns.
            work: where the new file begins, and stays after a crash; by default beside `name`.
        """
        place = self if work is None else work
        tmp = hidden_beside(name, "tmp") if work is None else random_name("tmp.")
        try:
            fd = os.open(tmp, _NEW_FILE, 0o600, dir_fd=place._fd)
        except OSError as err:
            err.add_note("open(O_TMPFILE)")
            raise
        with _removed_on_error(place, tmp):
            try:
                write_all(fd, data)
                os.fchmod(fd, mode)
                if sync:
                    os.fsync(fd)  # content first: a rename may reach the disk before the data
            finally:
                os.close(fd)
            is_moved = place._move_into(tmp, self, name)
        if not is_moved:
            self.replace_file(name, data, mode=mode, sync=sync)
        elif sync:
            self.sync_dir(name.rpartition("/")[0])

    def _move_into(self, tmp: str, target: Dir, name: str) -> bool:
        """Rename; return False, without the file, where `target` is another file system."""
        try:
            self.rename(tmp, name, to_dir=target)
        except OSError as err:
            if err.errno != errno.EXDEV:
                raise
            self.remove(tmp)
            return False
        return True

    def symlink(self, target: str, name: str) -> None:
        """Create a symbolic link."""
        try:
            os.symlink(target, name, dir_fd=self._fd)
        except OSError as err:
            err.add_note("symlinkat")
            raise

    def replace_symlink(self, target: str, name: str, *, work: Dir | None = None) -> None:
        """Point `name` at `target` atomically, whether or not it exists; `work` as above."""
        place = self if work is None else work
        tmp = hidden_beside(name, "tmplink") if work is None else random_name("tmplink.")
        place.symlink(target, tmp)
        with _removed_on_error(place, tmp):
            is_moved = place._move_into(tmp, self, name)
        if not is_moved:
            self.replace_symlink(target, name)

    def link(self, name: str, to_dir: Dir, to_name: str) -> None:
        """Give the file `name` a second name; a symbolic link is linked itself."""
        os.link(name, to_name, src_dir_fd=self._fd, dst_dir_fd=to_dir._fd, follow_symlinks=False)

    def rename(self, name: str, to_name: str, *, to_dir: Dir | None = None) -> None:
        """Rename, replacing what is there."""
        target = self if to_dir is None else to_dir
        try:
            os.rename(name, to_name, src_dir_fd=self._fd, dst_dir_fd=target._fd)
        except OSError as err:
            err.add_note(f"renameat({name}, {to_name})")
            raise

    def remove(self, name: str, *, missing_ok: bool = False) -> bool:
        """Unlink a file or link; return whether there was one."""
        try:
            os.unlink(name, dir_fd=self._fd)
        except FileNotFoundError as err:
            if missing_ok:
                return False
            err.add_note(f"unlinkat({name})")
            raise
        except OSError as err:
            err.add_note(f"unlinkat({name})")
            raise
        return True

    def remove_dir(self, name: str) -> None:
        """Remove an empty directory."""
        try:
            os.rmdir(name, dir_fd=self._fd)
        except OSError as err:
            err.add_note(f"unlinkat({name})")
            raise

    def remove_tree(self, name: str) -> bool:
        """Remove `name` and, if a directory, all below it; return whether there was one.

        Follows no symbolic link, uses no recursion.
        """
        try:
            return self.remove(name, missing_ok=True)
        except OSError as err:
            if err.errno not in (errno.EISDIR, errno.EPERM):
                raise
            status = self.try_stat(name)
            if status is None:  # somebody else was quicker
                return True
            if not stat_bits.S_ISDIR(status.st_mode):
                raise
        from pyostree.fs.remove_tree import remove_directory

        remove_directory(self._fd, name)
        return True

    # -- metadata ------------------------------------------------------------------------

    def chmod(self, name: str, mode: int) -> None:
        """Set the permission bits of a file or directory; a symbolic link is refused."""
        with system_call("fchmodat"):
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
            try:
                os.chmod(f"/proc/self/fd/{fd}", mode)
            finally:
                os.close(fd)

    def chmod_self(self, mode: int) -> None:
        """Set the permission bits of this directory."""
        with system_call("fchmod"):
            os.fchmod(self._fd, mode)

    def chown(self, name: str, uid: int, gid: int) -> None:
        """Set the owner, of a link itself."""
        with system_call("fchownat"):
            os.chown(name, uid, gid, dir_fd=self._fd, follow_symlinks=False)

    def chown_self(self, uid: int, gid: int) -> None:
        """Set the owner of this directory."""
        with system_call("fchown"):
            os.fchown(self._fd, uid, gid)

    def touch(self, name: str = ".") -> None:
        """Set access and modification time of `name` to now."""
        with system_call("utimensat"):
            os.utime(name, dir_fd=self._fd)

    def copy_times(self, source: str, name: str) -> None:
        """Give `name` the times of access and modification of `source`."""
        with system_call("utimensat"):
            status = os.stat(source, dir_fd=self._fd, follow_symlinks=False)
            times = (status.st_atime_ns, status.st_mtime_ns)
            os.utime(name, ns=times, dir_fd=self._fd, follow_symlinks=False)

    def set_mtime_self(self, mtime_ns: int) -> None:
        """Set the modification time of this directory; its access time becomes now."""
        with system_call("utimensat"):
            os.utime(self._fd, ns=(time.time_ns(), mtime_ns))

    # -- durability ----------------------------------------------------------------------

    def sync(self) -> None:
        """Make the names in this directory durable."""
        with system_call("fsync"):
            os.fsync(self._fd)

    def sync_dir(self, path: str) -> None:
        """Make the names in the directory `path` (empty: this one) durable."""
        if not path:
            self.sync()
            return
        with self.open_dir(path) as directory:
            directory.sync()

    def sync_file(self, name: str) -> None:
        """Make the content of `name` durable."""
        fd = self.open_read(name, follow=False)
        try:
            with system_call("fsync"):
                os.fsync(fd)
        finally:
            os.close(fd)
