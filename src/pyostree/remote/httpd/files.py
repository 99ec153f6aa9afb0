"""What the server answers: a file of the served directory, a listing, or a refusal."""

from __future__ import annotations

import hashlib
import html
import os
import stat
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

from pyostree.errors import FormatError
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.remote.httpd.message import Request, format_http_date, parse_http_date, parse_range

_HASH_CHUNK = 1 << 20
_MAX_ETAGS = 1 << 16
_WORLD_READ = 0o004
_WORLD_SEARCH = 0o005
_INDEX = "index.html"


class Answer(NamedTuple):
    """Status, headers and content: `text`, or the bytes of `file` from `start` to `end`."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...] = ()
    text: bytes = b""
    file: InputFile | None = None
    start: int = 0
    end: int = 0

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self.end - self.start if self.file is not None else len(self.text)


class Files:
    """Serves one directory; symbolic links are followed, as with other web servers."""

    def __init__(self, root: Dir) -> None:
        self._root = root
        self._etags: dict[tuple[int, int, int, int], str] = {}

    def answer(self, request: Request) -> Answer:
        """Return what there is at the path of a GET or HEAD request."""
        path = request.path.lstrip("/")
        if "\0" in path or not path:
            return Answer(HTTPStatus.NOT_FOUND)
        try:
            return self._answer(path, request)
        except FileNotFoundError:
            return Answer(HTTPStatus.NOT_FOUND)
        except PermissionError:
            return Answer(HTTPStatus.FORBIDDEN)
        except OSError:
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _answer(self, path: str, request: Request) -> Answer:
        mode = self._root.stat(path, follow=True).st_mode
        if stat.S_ISREG(mode):
            return self._file(path, request)
        if not stat.S_ISDIR(mode) or mode & _WORLD_SEARCH != _WORLD_SEARCH:
            return Answer(HTTPStatus.FORBIDDEN)
        if not path.endswith("/"):
            host = request.headers.get("host", "localhost")
            location = f"http://{host}/{quote(path, errors='surrogateescape')}/"
            return Answer(HTTPStatus.MOVED_PERMANENTLY, (("Location", location),))
        if self._root.is_file(f"{path}{_INDEX}"):
            return self._file(f"{path}{_INDEX}", request)
        return self._listing(path)

    def _listing(self, path: str) -> Answer:
        with self._root.open_dir(path) as directory:
            names = directory.list()
        title = html.escape(f"Index of /{_printable(path)}")
        links = "".join(
            f'<a href="{quote(name, errors="surrogateescape")}">'
            f"{html.escape(_printable(name))}</a><br>\n"
            for name in names
        )
        text = (
            f"<html>\n<head><title>{title}</title></head>\n"
            f"<body><h1>{title}</h1>\n<p>\n{links}</body>\n</html>\n"
        )
        kind = (("Content-Type", "text/html; charset=utf-8"),)
        return Answer(HTTPStatus.OK, kind, text.encode())

    def _file(self, path: str, request: Request) -> Answer:
        file = InputFile(self._root.open_read(path))
        try:
            answer = self._from_file(file, request)
        except BaseException:
            file.close()
            raise
        if answer.file is None:
            file.close()
        return answer

    def _from_file(self, file: InputFile, request: Request) -> Answer:
        status = file.status()
        if not stat.S_ISREG(status.st_mode) or not status.st_mode & _WORLD_READ:
            return Answer(HTTPStatus.FORBIDDEN)
        etag = f'"{self._hash(file, status)}"'
        modified = int(status.st_mtime)
        headers = [("Last-Modified", format_http_date(modified)), ("ETag", etag)]
        if _is_unchanged(request, etag, modified):
            return Answer(HTTPStatus.NOT_MODIFIED, tuple(headers))
        start, end, code = 0, status.st_size, HTTPStatus.OK
        if wanted := request.headers.get("range"):
            try:
                found = parse_range(wanted, status.st_size)
            except FormatError:
                return Answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, tuple(headers))
            if found is not None:
                start, end = found
                code = HTTPStatus.PARTIAL_CONTENT
                headers.append(("Content-Range", f"bytes {start}-{end - 1}/{status.st_size}"))
        return Answer(code, tuple(headers), file=file, start=start, end=end)

    def _hash(self, file: InputFile, status: os.stat_result) -> str:
        key = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
        known = self._etags.get(key)
        if known is not None:
            return known
        digest = hashlib.sha256()
        while chunk := file.read(_HASH_CHUNK):
            digest.update(chunk)
        file.rewind()
        if len(self._etags) >= _MAX_ETAGS:
            self._etags.clear()
        self._etags[key] = digest.hexdigest()
        return self._etags[key]


def _is_unchanged(request: Request, etag: str, modified: int) -> bool:
    if (known := request.headers.get("if-none-match")) is not None:
        return known == etag
    if (text := request.headers.get("if-modified-since")) is None:
        return False
    since = parse_http_date(text)
    return since is not None and modified <= since


def _printable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
