"""Content objects as they come over the network: ``.filez``, verified, then stored.

Nothing of a body is believed before its checksum is: the header bounds how much is inflated, the
store is written last. An archive keeps the bytes that came, when they are what it would have
written itself but for the compression.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import ChecksumMismatchError, FormatError, doing
from pyostree.formats.file_header import (
    PREFIX_BYTES,
    FileHeader,
    archive_header_length,
    check_header,
    content_checksum,
    decode_archive_header,
    encode_archive_header,
)
from pyostree.formats.objects import Checksum
from pyostree.repo.store.archive import ArchiveStore
from pyostree.repo.store.bare_user_only import check_bare_user_only
from pyostree.repo.store.plain_file import MAX_DEFLATE_RATIO, read_plain_file

if TYPE_CHECKING:
    from pyostree.remote.fetch import Body
    from pyostree.repo.store.base import ObjectStore

# Content up to this size is inflated at once; a larger one streams.
_IN_MEMORY_BYTES = 4 << 20
_CHUNK_BYTES = 1 << 20
_RAW_DEFLATE = -15


class Stored(NamedTuple):
    """Outcome for one object; `size` is in bytes of content."""

    is_new: bool
    size: int


class _Start(NamedTuple):
    """What a body begins with; the deflate stream starts at `end`."""

    raw: bytes
    end: int
    header: FileHeader
    size: int


class ContentReceiver:
    """Verifies and stores content objects; may be used from several threads.

    Args:
        only_bare_user_files: refuse content whose mode has bits outside 0775.
        is_trusted: store what an archive gets without looking at it, unless it was put together
            from several answers.
    """

    def __init__(
        self, store: ObjectStore, *, only_bare_user_files: bool = False, is_trusted: bool = False
    ) -> None:
        self._store = store
        self._archive = store if isinstance(store, ArchiveStore) else None
        self._checks_modes = only_bare_user_files
        self._is_trusted = is_trusted

    def store(self, checksum: Checksum, body: Body) -> Stored:
        """Verify and store one object.

        Raises:
            FormatError: it is no ``.filez``.
            ChecksumMismatchError: it is another object.
        """
        is_trusted = self._is_trusted and not body.was_continued
        if is_trusted and self._archive is not None and not self._checks_modes:
            # How much content that is, nobody has looked: as in the reference it counts nothing.
            return Stored(self._put_file(self._archive, checksum, body, body.size), 0)
        if body.in_memory:
            stored = self._store_plain(checksum, body.read())
            if stored is not None:
                return stored
        with doing(f"Parsing {checksum}.file"):
            start = _read_start(body)
            check_header(start.header)
            _check_size(start, body)
        if self._checks_modes:
            check_bare_user_only(checksum, start.header)
        is_small = body.in_memory and start.size <= _IN_MEMORY_BYTES
        store = self._store_small if is_small else self._store_large
        try:
            return Stored(store(checksum, start, body), start.size)
        except FormatError as err:
            err.add_note(f"{checksum}.file")
            raise

    # -- in memory -----------------------------------------------------------------------

    def _store_plain(self, checksum: Checksum, raw: bytes) -> Stored | None:
        """Store a usual object with as few steps as possible; None for the general way."""
        file = None if self._checks_modes else read_plain_file(raw)
        if file is None:
            return None
        # An archive keeps the bytes as they are: nothing may follow the stream.
        content = file.inflate() if self._archive is None else file.inflate_exactly()
        if content is None or not file.has_checksum(checksum, content):
            return None
        if self._archive is None:
            is_new = self._store.put_content(checksum, file.header, content, is_missing=True)
            return Stored(is_new, file.size)
        with doing("Writing content object"):
            is_new = self._archive.put_archived(checksum, file.size, raw)
        return Stored(is_new, file.size)

    def _store_small(self, checksum: Checksum, start: _Start, body: Body) -> bool:
        raw = body.read()
        with doing("Writing content object"):
            content, is_exact = _inflate(raw, start)
            _check(checksum, content_checksum(start.header, (content,)))
            if self._archive is not None and is_exact and _is_canonical(start):
                return self._archive.put_archived(checksum, start.size, raw)
        return self._store.put_content(checksum, start.header, content)

    # -- streaming -----------------------------------------------------------------------

    def _store_large(self, checksum: Checksum, start: _Start, body: Body) -> bool:
        if self._archive is not None and _is_canonical(start):
            with doing("Writing content object"):
                stream = _InflatedStream(body, start)
                _check(checksum, content_checksum(start.header, stream))
                if stream.is_exact:
                    return self._put_file(self._archive, checksum, body, start.size)
        written = self._store.write_content(
            start.header, _InflatedStream(body, start), size=start.size, expected=checksum
        )
        return written.is_new

    def _put_file(self, archive: ArchiveStore, checksum: Checksum, body: Body, size: int) -> bool:
        if body.in_memory:
            return archive.put_archived(checksum, size, body.read())
        return archive.put_archived_stream(checksum, size, body.chunks())


def promised_bytes(body: Body) -> int:
    """Return how much content a body in memory claims to hold; 0 for one that lies in a file."""
    return int.from_bytes(body.read()[8:16], "big") if body.in_memory else 0


def _check_size(start: _Start, body: Body) -> None:
    # Space is reserved for what a header promises: it must not be able to ask for everything.
    packed = body.size - start.end
    if start.size > (packed + 1) * MAX_DEFLATE_RATIO:
        raise FormatError(f"{packed} compressed bytes cannot hold {start.size} bytes")


def _check(expected: Checksum, actual: Checksum) -> None:
    if actual != expected:
        raise ChecksumMismatchError("file", str(expected), str(actual))


def _read_start(body: Body) -> _Start:
    raw = b""
    for chunk in body.chunks():
        raw += chunk
        if len(raw) >= PREFIX_BYTES:
            end = PREFIX_BYTES + archive_header_length(raw[:PREFIX_BYTES], body.size)
            if len(raw) >= end:
                header, size = decode_archive_header(raw[PREFIX_BYTES:end])
                if header.is_symlink:
                    size = 0
                return _Start(raw[:end], end, header, size)
    if len(raw) < PREFIX_BYTES:
        archive_header_length(raw, body.size)
    raise FormatError(f"File header exceeds size {body.size}")


def _is_canonical(start: _Start) -> bool:
    return start.raw == encode_archive_header(start.header, start.size)


def _inflate(raw: bytes, start: _Start) -> tuple[bytes, bool]:
    """Return the content, and whether the deflate stream ends where the body does."""
    if start.header.is_symlink:
        return b"", len(raw) == start.end
    from isal import isal_zlib

    inflater = isal_zlib.decompressobj(_RAW_DEFLATE)
    try:
        content = inflater.decompress(memoryview(raw)[start.end :], start.size + 1)
    except isal_zlib.IsalError as err:  # type: ignore[misc]  # its stub says it is an instance
        raise FormatError("Invalid compressed data") from err
    if len(content) > start.size:
        raise FormatError(f"Invalid compressed data: more than {start.size} bytes")
    if len(content) < start.size or not inflater.eof:
        missing = start.size - len(content)
        raise FormatError(f"Unexpected EOF with {missing}/{start.size} bytes remaining")
    return content, not inflater.unused_data


class _InflatedStream:
    """Iterable over the content of a body, at most as many bytes as its header promised.

    Attributes:
        is_exact: after the last chunk: whether the deflate stream ended where the body does.
    """

    def __init__(self, body: Body, start: _Start) -> None:
        self._body = body
        self._start = start
        self.is_exact = False

    def __iter__(self) -> Iterator[bytes]:
        if self._start.header.is_symlink:
            self.is_exact = self._body.size == self._start.end
            return
        yield from self._inflated()

    def _packed(self) -> Iterator[bytes]:
        skip = self._start.end
        for chunk in self._body.chunks():
            if skip < len(chunk):
                yield chunk[skip:]
            skip = max(skip - len(chunk), 0)

    def _inflated(self) -> Iterator[bytes]:
        from isal import isal_zlib

        inflater = isal_zlib.decompressobj(_RAW_DEFLATE)
        size = self._start.size
        left = size
        is_exact = True
        try:
            for packed in self._packed():
                is_exact = is_exact and not inflater.eof
                rest, is_full = packed, False
                while (rest or is_full) and not inflater.eof:
                    limit = min(left + 1, _CHUNK_BYTES)
                    chunk = inflater.decompress(rest, limit)
                    # Without input left there may still be output that did not fit.
                    rest, is_full = inflater.unconsumed_tail, len(chunk) == limit
                    left -= len(chunk)
                    if left < 0:
                        raise FormatError(f"Invalid compressed data: more than {size} bytes")
                    if chunk:
                        yield chunk
        except isal_zlib.IsalError as err:  # type: ignore[misc]  # its stub says it is an instance
            raise FormatError("Invalid compressed data") from err
        if left or not inflater.eof:
            raise FormatError(f"Unexpected EOF with {left}/{size} bytes remaining")
        self.is_exact = is_exact and not inflater.unused_data
