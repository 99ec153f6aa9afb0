"""Files without a name until they are whole: written, then linked to their name in one step."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import suppress

from pyostree.closing import Closing
from pyostree.fs.dir import Dir, random_name, write_all

TEMP_PREFIX = "tmp."  # of files that get a name before they are whole
_READ_CHUNK = 1 << 20
_UNNAMED = os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC
_NAMED = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
# File systems without unnamed files answer with one of these,
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOSYS, errno.ENOENT)
# and those without hard links with one of these.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


class TempFile(Closing):
    """A new file in `directory`, mode 0600, that vanishes unless it is linked.

    Use as a context manager. `fd` is open for reading and writing.
    """

    __slots__ = ("_directory", "_name", "fd")

    def __init__(self, directory: Dir) -> None:
        self._directory = directory
        self._name: str | None = None
        try:
            self.fd = os.open(".", _UNNAMED, 0o600, dir_fd=directory.fileno())
        except OSError as err:
            if err.errno not in _NO_TMPFILE:
                err.add_note("open(O_TMPFILE)")
                raise
            self._name = random_name(TEMP_PREFIX)
            self.fd = os.open(self._name, _NAMED, 0o600, dir_fd=directory.fileno())

    def close(self) -> None:
        """Close the file; without a link it is gone."""
        fd, self.fd = self.fd, -1
        if fd < 0:
            return
        os.close(fd)
        if self._name is not None:
            with suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=self._directory.fileno())

    def discard(self) -> None:
        """Close the file, and leave nothing of it under the name that it may have been given."""
        self.close()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`."""
        try:
            write_all(self.fd, data)
        except OSError as err:
            err.add_note("write")
            raise

    def read_at(self, position: int, size: int) -> bytes:
        """Return at most `size` bytes from `position` on; none at the end."""
        return os.pread(self.fd, size, position)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content so far, in chunks of at most 1 MiB."""
        position = 0
        while chunk := os.pread(self.fd, _READ_CHUNK, position):
            yield chunk
            position += len(chunk)

    def write_parts(self, first: bytes, second: bytes | bytearray | memoryview) -> None:
        """Append two pieces with one system call, without joining them in memory."""
        try:
            written = os.writev(self.fd, [first, second])
        except OSError as err:
            err.add_note("write")
            raise
        if written < len(first):
            self.write(memoryview(first)[written:])
            written = len(first)
        self.write(memoryview(second)[written - len(first) :])

    def set_owner(self, uid: int, gid: int) -> None:
        """Set the owner."""
        try:
            os.fchown(self.fd, uid, gid)
        except OSError as err:
            err.add_note("fchown")
            raise

    def set_mode(self, mode: int) -> None:
        """Set the permission bits exactly."""
        try:
            os.fchmod(self.fd, mode)
        except OSError as err:
            err.add_note("fchmod")
            raise

    def set_times_ns(self, atime_ns: int, mtime_ns: int) -> None:
        """Set access and modification time."""
        os.utime(self.fd, ns=(atime_ns, mtime_ns))

    def set_mtime_ns(self, mtime_ns: int) -> None:
        """Set the modification time; the access time becomes now."""
        os.utime(self.fd, ns=(time.time_ns(), mtime_ns))

    def sync(self) -> None:
        """Make the content durable."""
        os.fsync(self.fd)

    def seal(self) -> bool:
        """Let the kernel guard the content from now on (fs-verity); return False where it cannot.

        Raises:
            OSError: sealing failed.
        """
        from pyostree.fs.verity import enable_verity

        # The kernel refuses a file that anybody has open for writing.
        readable = os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_CLOEXEC)
        os.close(self.fd)
        self.fd = readable
        return enable_verity(readable)

    def link(self, directory: Dir, name: str) -> bool:
        """Give the file its name, creating ``XX/`` in front of it; return False if it exists."""
        parent, _, _ = name.rpartition("/")
        try:
            try:
                self._link(directory, name)
            except FileNotFoundError:
                if not parent:
                    raise
                directory.make_dir(parent, exist_ok=True)
                self._link(directory, name)
        except FileExistsError:
            return False
        except OSError as err:
            err.add_note(f"linkat({name})")
            raise
        return True

    def link_replacing(self, directory: Dir, name: str, *, work: Dir | None = None) -> None:
        """Give the file its name in place of whatever has it.

        Args:
            work: where it has another name for a moment, in which a crash may leave it; without
                it, or if that is another file system, beside `name`.
        """
        if self.link(directory, name):
            return
        if work is not None and self._replace_via(work, random_name(TEMP_PREFIX), directory, name):
            return
        parent, _, _ = name.rpartition("/")
        tmp = random_name(f"{parent}/{TEMP_PREFIX}" if parent else TEMP_PREFIX)
        self._replace_via(directory, tmp, directory, name)

    def _replace_via(self, place: Dir, tmp: str, directory: Dir, name: str) -> bool:
        try:
            self._link(place, tmp)
        except OSError as err:
            if err.errno == errno.EXDEV and place is not directory:
                return False
            raise
        try:
            place.rename(tmp, name, to_dir=directory)
        except BaseException:
            with suppress(OSError):
                os.unlink(tmp, dir_fd=place.fileno())
            raise
        return True

    def _link(self, directory: Dir, name: str) -> None:
        if self._name is None:
            source, source_fd = f"/proc/self/fd/{self.fd}", directory.fileno()
        else:
            source, source_fd = self._name, self._directory.fileno()
        try:
            # follow_symlinks alone would not be passed on to the kernel; with src_dir_fd it is.
            os.link(
                source,
                name,
                src_dir_fd=source_fd,
                dst_dir_fd=directory.fileno(),
                follow_symlinks=self._name is None,
            )
        except OSError as err:
            if err.errno not in _NO_LINKS:
                raise
            if not self._is_renamed(directory, name):
                raise

    def _is_renamed(self, directory: Dir, name: str) -> bool:
        """Rename the file where there are no links, as on FAT; it is not temporary then."""
        from pyostree.fs.kernel import rename_noreplace

        if directory.exists(name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        if self._name is None or not rename_noreplace(self._directory, self._name, directory, name):
            return False
        self._name = None
        return True
