"""`ServedRepo`: one repository's files as answers to requests."""

from __future__ import annotations

import errno
from functools import lru_cache
from http import HTTPStatus

from pyostree.closing import Closing
from pyostree.errors import UnsupportedError
from pyostree.formats.objects import is_checksum
from pyostree.fs.dir import Dir
from pyostree.fs.page_cache import glimpse
from pyostree.fs.resolve import read_file_in_root
from pyostree.remote.httpd.message import format_http_date
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo
from pyostree.serve.answer import (
    BINARY,
    BUSY,
    IMMUTABLE,
    NOT_FOUND,
    RANGES,
    REFUSED,
    REVALIDATED,
    SERVER,
    TEXT,
    UNREADABLE,
    Answer,
    Header,
    refusal,
)
from pyostree.serve.conditions import (
    Headers,
    RangeError,
    find_range,
    is_refused,
    is_unchanged,
)
from pyostree.serve.documents import INLINE_BYTES, Documents
from pyostree.serve.paths import Kind, Target

_MAX_REF_BYTES = 4096
# Not there, or not what it has to be: to the client it is the same.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EFBIG)
_ABSENT_NAMES = (errno.ENAMETOOLONG, errno.EINVAL)
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class NotServableError(UnsupportedError):
    """Clients could not pull from this repository."""

    hint = (
        "make an archive of it: `ostree --repo=ARCHIVE init --mode=archive`, then "
        "`ostree --repo=ARCHIVE pull-local REPO`"
    )


class ServedRepo(Closing):
    """An archive repository, opened for serving. Its directory stays the one that was opened."""

    def __init__(self, path: str) -> None:
        """Open the repository at `path`.

        Raises:
            NotServableError: it is no archive.
            OSError, OstreeError: it cannot be opened.
        """
        with Repo.open(path) as repo:
            if repo.mode is not RepoMode.ARCHIVE:
                raise NotServableError(
                    f"Cannot serve {repo.path}: its mode is {repo.mode.value}, and only archive "
                    "repositories can be pulled over HTTP"
                )
            self.path = repo.path
        self._root = Dir.at(self.path)
        self._objects = self._root.open_dir("objects")
        self._documents = Documents(self._root)

    def close(self) -> None:
        """Close all directories and files."""
        self._documents.close()
        self._objects.close()
        self._root.close()

    def has_summary(self) -> bool:
        """Tell whether clients can list the refs."""
        return self._root.is_file("summary")

    def answer(self, target: Target, headers: Headers) -> Answer:
        """Return the answer to a request for `target`."""
        try:
            if target.kind is Kind.METADATA or target.kind is Kind.CONTENT:
                return self._object(target, headers)
            if target.kind is Kind.REF:
                return self._ref(target, headers)
            if target.kind is Kind.FILE:
                return self._file(target, headers)
            return self._document(target, headers)
        except OSError as err:
            if err.errno in _ABSENT or err.errno in _ABSENT_NAMES:
                return NOT_FOUND
            return BUSY if err.errno in _EXHAUSTED else UNREADABLE

    # -- kinds of targets ----------------------------------------------------------------

    def _object(self, target: Target, headers: Headers) -> Answer:
        prefix = target.directory[-2:]
        status, data = glimpse(self._objects, prefix, target.name, max_bytes=INLINE_BYTES)
        size = status.st_size
        checksum = prefix + target.name.partition(".")[0]
        # Two compressors give the same content in different bytes, which must not be mixed.
        version = checksum if target.kind is Kind.METADATA else f"{checksum}-{size:x}"
        fixed = [SERVER, IMMUTABLE, BINARY, RANGES, ("etag", f'"{version}"')]
        path = self._objects.proc_path(f"{prefix}/{target.name}") if data is None else None
        return _content(headers, fixed, size, data=data, path=path)

    def _file(self, target: Target, headers: Headers) -> Answer:
        above, _, last = target.directory.rpartition("/")
        with self._root.walk(above) as directory:
            status, data = glimpse(directory, last, target.name, max_bytes=INLINE_BYTES)
        # Deltas are made anew under their old names, metadata is signed once more.
        version = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        fixed = [SERVER, REVALIDATED, BINARY, RANGES, ("etag", version)]
        path = self._root.proc_path(f"{target.directory}/{target.name}")
        modified = int(status.st_mtime)
        return _content(headers, fixed, status.st_size, data=data, path=path, modified=modified)

    def _ref(self, target: Target, headers: Headers) -> Answer:
        # A link is an alias of another ref; it cannot leave the refs, which are its whole world.
        with self._root.walk(target.directory) as directory:
            data = read_file_in_root(directory, target.name, max_bytes=_MAX_REF_BYTES)
        checksum = data.decode("ascii", "replace").rstrip("\n")
        if not is_checksum(checksum):
            return NOT_FOUND
        fixed = [SERVER, REVALIDATED, TEXT, RANGES, ("etag", f'"{checksum}"')]
        return _content(headers, fixed, len(data), data=data)

    def _document(self, target: Target, headers: Headers) -> Answer:
        version = self._documents.find(target.name)
        if version is None:
            return NOT_FOUND
        kind = TEXT if target.kind is Kind.CONFIG else BINARY
        fixed = [SERVER, REVALIDATED, kind, RANGES, ("etag", version.etag)]
        path = None if version.file is None else f"/proc/self/fd/{version.file.fd}"
        return _content(
            headers,
            fixed,
            version.size,
            data=version.data,
            path=path,
            modified=version.modified,
        )


def _content(
    headers: Headers,
    fixed: list[Header],
    size: int,
    *,
    data: bytes | None,
    path: str | None = None,
    modified: int | None = None,
) -> Answer:
    """Return the answer that carries a file, or a part of it, or says that nothing changed.

    Args:
        fixed: headers of all answers about this version; the last one is its ETag.
    """
    etag = fixed[-1][1]
    if modified is not None:
        fixed.append(_last_modified(modified))
    if is_refused(headers, etag, modified):
        return REFUSED
    if is_unchanged(headers, etag, modified):
        return Answer(HTTPStatus.NOT_MODIFIED.value, fixed)
    try:
        part = find_range(headers, size, etag, modified)
    except RangeError:
        return refusal(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, ("content-range", f"bytes */{size}")
        )
    status = HTTPStatus.OK
    length = size
    if part is not None:
        status = HTTPStatus.PARTIAL_CONTENT
        start, end = part
        length = end - start
        fixed.append(("content-range", f"bytes {start}-{end - 1}/{size}"))
        data = data[start:end] if data is not None else None
    fixed.append(("content-length", str(length)))
    if data is not None:
        return Answer(status.value, fixed, body=data, size=length)
    return Answer(status.value, fixed, path=path, part=part, size=length)


@lru_cache(maxsize=256)
def _last_modified(timestamp: int) -> Header:
    return ("last-modified", format_http_date(timestamp))
