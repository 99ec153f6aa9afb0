"""`Transfer`: one request on one easy handle, with what has arrived of its body.

A body that broke off can be kept: the next attempt asks for the rest. What the answer to that is,
its headers say, before any of its body is taken.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import pycurl

from pyostree.errors import FormatError, FreeSpaceError
from pyostree.fs.dir import Dir
from pyostree.fs.partial_file import PartialFile, open_partial
from pyostree.fs.tempfile import TempFile
from pyostree.remote.fetch import MEMORY_BYTES, Body, FetchRequest
from pyostree.remote.http_dates import parse_http_date
from pyostree.remote.urls import BaseUrl

# All bodies together have this much memory; a body that finds none left goes to a file, unless it
# is small.
_SHARED_MEMORY_BYTES = 32 << 20
_ALWAYS_IN_MEMORY_BYTES = 32 << 10
_SPACE_STEP_BYTES = 4 << 20
RANGE_STATUS = 416  # there is no such part of the file
_OK, _PARTIAL_CONTENT, _FIRST_REDIRECT = 200, 206, 300
_NO_LIMIT = sys.maxsize
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)


def encoded(text: str) -> bytes:
    """Return what libcurl takes for `text`: pycurl itself would refuse all but ASCII."""
    return text.encode("utf-8", "surrogateescape")


class Tally:
    """What all transfers of a fetcher have together: bytes that arrived, bytes held in memory."""

    __slots__ = ("held", "received")

    def __init__(self) -> None:
        self.held = self.received = 0


class Transfer:
    """An easy handle with the request it works on; reused for one request after the other.

    Attributes:
        own_headers: whether headers of this request only are set.
        size: length of the body so far, with what earlier attempts brought.
        offset: where the body of this attempt begins.
        too_large: the body was cut off at `limit`.
        failure: what went wrong here, not on the network.
        status: of the answer to an attempt that continues; 0 before there is one.
        expected: length of the whole body, once an answer has told it.
        is_complete: the server says that there is nothing more than what was kept.
        kept_etag: names the version of which a part is kept.
    """

    __slots__ = (
        "_checked_up_to", "_chunks", "_discarded", "_file", "_is_discarded", "_kept_at",
        "_most_kept", "_tally", "_temp", "attempts_left", "attempts_made", "etag", "expected",
        "failure", "file_limit", "handle", "is_complete", "kept_etag", "last_modified", "limit",
        "mirror", "offset", "own_headers", "redirects", "request", "size", "status",
        "too_large", "url",
    )  # fmt: skip

    def __init__(self, handle: Any, temp: Dir, tally: Tally) -> None:  # noqa: ANN401 - no types
        self.handle = handle
        self._temp = temp
        self._tally = tally
        self._chunks: list[bytes] = []
        self._file: TempFile | None = None
        self.own_headers = False
        self.file_limit = 0
        self.redirects = 0
        self.size = 0
        self.request: FetchRequest
        self.url: BaseUrl
        handle.setopt(pycurl.WRITEFUNCTION, self.write)

    def begin(self, request: FetchRequest, attempts: int) -> None:
        """Take up `request`."""
        self.request = request
        self.attempts_left = attempts
        self.attempts_made = 0
        self.mirror = 0
        self.size = 0
        self.limit = request.max_bytes or _NO_LIMIT
        self.too_large = False
        self.expected: int | None = None
        self.kept_etag: str | None = None
        self._kept_at: int | None = None
        self._checked_up_to = self._most_kept = 0

    def continue_file(self, file: PartialFile) -> None:
        """Begin with what an earlier process left in `file`."""
        self._file = file
        self.size = self._most_kept = file.size
        self._kept_at = self.mirror
        try:
            self._narrow_limit(file.read_at(0, _ALWAYS_IN_MEMORY_BYTES))
        except (FormatError, FreeSpaceError):
            self.too_large = True
        if self.too_large or not self.size:
            self.drop_body()

    def start(self) -> None:
        """Prepare for an attempt at the current mirror."""
        if self._kept_at != self.mirror:
            self.drop_body()
        self.offset = self.size
        self.status = 0
        self._discarded = 0
        # Until headers say that this is the rest.
        self._is_discarded = self.offset > 0
        self.is_complete = False
        self.too_large = False
        self.failure: BaseException | None = None
        self.etag: str | None = None
        self.last_modified = 0
        self.url = self.request.bases[self.mirror].join(self.request.path)
        self.handle.setopt(pycurl.URL, encoded(self.url.secret))

    @property
    def continues(self) -> bool:
        """Whether this attempt asks for the rest of a body only."""
        return self.offset > 0

    @property
    def is_useless(self) -> bool:
        """Whether the answer to an attempt that continues was not the rest."""
        return self.status > 0 and self._is_discarded

    @property
    def has_refused(self) -> bool:
        """Whether more of the body was not wanted."""
        return self.too_large or self.failure is not None or self.is_useless

    @property
    def is_short(self) -> bool:
        """Whether a continued body ends before its end."""
        return self.status == _PARTIAL_CONTENT and self.expected not in (None, self.size)

    # -- the body ------------------------------------------------------------------------

    def write(self, chunk: bytes) -> int | None:
        """Take a piece of the body; libcurl gives up when it gets 0 back."""
        length = len(chunk)
        tally = self._tally
        tally.received += length
        size = self.size + length
        if self._is_discarded or size > self.limit:
            return self._refuse(size)
        self.size = size
        if self._file is None and (
            size <= _ALWAYS_IN_MEMORY_BYTES
            or (size <= MEMORY_BYTES and tally.held < _SHARED_MEMORY_BYTES)
        ):
            tally.held += length
            self._chunks.append(chunk)
            return None
        try:
            self._write_file(chunk)
        except (OSError, FormatError, FreeSpaceError, KeyboardInterrupt) as err:
            self.failure = err  # libcurl would swallow it
            return 0
        return None

    def _refuse(self, size: int) -> int | None:
        if not self._is_discarded:
            self.too_large = True
            return 0
        # A page about an error, of which only the status is used.
        self._discarded += size - self.size
        is_page = self.status >= _FIRST_REDIRECT and self._discarded <= MEMORY_BYTES
        return None if is_page else 0

    def _write_file(self, chunk: bytes) -> None:
        if self._file is None:
            self._file = file = self._new_file()
            start, self._chunks = self._chunks, []
            self._tally.held -= self.size - len(chunk)
            for piece in start:
                file.write(piece)
            start.append(chunk)
            self._narrow_limit(b"".join(start))
        check_space = self.request.check_space
        if check_space is not None and self.size >= self._checked_up_to:
            self._checked_up_to = self.size + _SPACE_STEP_BYTES
            check_space(min(_SPACE_STEP_BYTES, max(self.limit - self.size, 0)))
        self._file.write(chunk)

    def _new_file(self) -> TempFile:
        name = self.request.keep_as
        partial = None if name is None else open_partial(self._temp, name)
        if partial is None:
            return TempFile(self._temp)
        partial.truncate()
        return partial

    def _narrow_limit(self, start: bytes) -> None:
        if self.request.limit_from is not None:
            self.limit = min(self.limit, self.request.limit_from(start))
            self.too_large = self.size > self.limit

    def drop_body(self, *, for_good: bool = True) -> None:
        """Forget what arrived.

        Args:
            for_good: not even another process can continue it.
        """
        self.offset = self.size = self._checked_up_to = 0
        self.limit = self.request.max_bytes or _NO_LIMIT
        self._kept_at = self.expected = self.kept_etag = None
        self._release_memory()
        file, self._file = self._file, None
        if file is not None:
            if for_good:
                file.discard()
            else:
                file.close()

    def _release_memory(self) -> list[bytes]:
        chunks, self._chunks = self._chunks, []
        self._tally.held -= sum(map(len, chunks))
        return chunks

    def take_body(self) -> Body:
        """Return what arrived."""
        file, self._file = self._file, None
        if file is not None:
            body = Body(b"", file, self.size)
        else:
            chunks = self._release_memory()
            body = Body(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        body.was_continued = self.continues
        return body

    def keep_body(self, expected: int) -> None:
        """Let the next attempt at this mirror continue the body, unless it may be another one then.

        Args:
            expected: length of what was to come in this attempt; not positive when unknown.
        """
        is_strong = self.etag is not None and self.etag.startswith('"') and self.etag.isprintable()
        if not (is_strong or self.request.immutable or self.continues):
            return
        if not self.continues:
            self.kept_etag = self.etag if is_strong else None
            self.expected = expected if expected > 0 else None
        self._kept_at = self.mirror

    def has_advanced(self) -> bool:
        """Tell whether a good piece more is kept than ever before; noted, it counts once."""
        if self._kept_at != self.mirror or self.size < self._most_kept + MEMORY_BYTES:
            return False
        self._most_kept = self.size
        return True

    # -- headers -------------------------------------------------------------------------

    def note_header(self, line: bytes) -> None:
        """Keep what counts among the headers; those of a redirect are overwritten."""
        text = line.decode("latin-1")
        if text.startswith("HTTP/"):
            self.etag, self.last_modified = None, 0
            if self.continues or self.status:
                self._note_status(text)
            return
        name, _, value = text.partition(":")
        match name.lower():
            case "etag":
                self.etag = value.strip()
            case "last-modified":
                self.last_modified = parse_http_date(value.strip())
            case "content-range" if self.status == RANGE_STATUS:
                self.is_complete = value.strip() == f"bytes */{self.size}"
            case "content-range" if self.status == _PARTIAL_CONTENT:
                self._is_discarded = not self._is_the_rest(value.strip())

    def _note_status(self, line: str) -> None:
        code = line.partition(" ")[2][:3]
        self.status = int(code) if code.isdecimal() else 0
        self._is_discarded = True
        if self.status == _OK:
            self.drop_body()  # the server gives everything, or something else by now
            self._is_discarded = False

    def _is_the_rest(self, content_range: str) -> bool:
        found = _CONTENT_RANGE.fullmatch(content_range)
        if found is None or int(found[1]) != self.offset:
            return False
        total = None if found[3] == "*" else int(found[3])
        if None not in (total, self.expected) and total != self.expected:
            return False  # another file by now
        self.expected = total or self.expected
        return True
