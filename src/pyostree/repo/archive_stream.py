"""Archives as streams: read and decompressed by a thread of its own, ahead of whoever parses them.

```
file or pipe -> decompressors, as many as the first bytes ask for -> queue -> ByteStream
```

Memory is bounded: the queue has a limit, and every decompressor gives at most a chunk at a time.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from pyostree.errors import OstreeError
from pyostree.formats.archive_format import SNIFF_BYTES, Compression, continues, find_compression
from pyostree.formats.archive_member import ArchiveError, Buffer
from pyostree.formats.byte_stream import ByteStream
from pyostree.fs.stream_input import StreamInput

if TYPE_CHECKING:
    from concurrent.futures import Future

STDIN = "-"
_STDIN_FD = 0
_CHUNK_BYTES = 1 << 20
_CHUNKS_AHEAD = 8
# A decompressor copies what it gets and does not need, so that each of many tiny parts gets little.
_FIRST_BYTES = 1024
_MAX_LAYERS = 8
# What a decompressor may allocate for its window; the reference's library allows as much to xz.
_MAX_XZ_BYTES = 1 << 30
# How much behind the end of the archive is read: writers pad, and check sums come last.
_MAX_TRAILER_BYTES = 64 << 20


class Decompressor(Protocol):
    """What bz2, lzma, isal and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: Buffer, max_length: int = -1) -> bytes: ...


class ArchiveSource:
    """A file, or with ``-`` standard input.

    Attributes:
        call: what the reference calls the opening, in messages.
        is_compressed: known once something was read.
    """

    __slots__ = ("_file", "_is_left", "_name", "call", "is_compressed")

    def __init__(self, path: str) -> None:
        self.is_compressed = False
        self._is_left = threading.Event()
        if path == STDIN:
            self.call, self._name = "archive_read_open_fd", "fd 0"
        else:
            self.call, self._name = "archive_read_open_filename", f"'{os.path.abspath(path)}'"
        try:
            if path == STDIN:
                self._file = StreamInput.duplicate(_STDIN_FD)
            else:
                self._file = StreamInput.open(path)
        except OSError as err:
            verb = "Error reading" if path == STDIN else "Failed to open"
            raise OstreeError(f"{self.call}: {verb} {self._name}") from err

    @contextmanager
    def stream(self) -> Iterator[ByteStream]:
        """Give the decompressed bytes; on leaving, the source is closed."""
        with self._file:
            ahead = _ReadAhead(self._plain_chunks)
            try:
                yield ByteStream(ahead.chunks())
            finally:
                self._is_left.set()
                self._file.stop()
                ahead.close()

    def read_trailer(self, stream: ByteStream) -> None:
        """Read what follows an archive if it is compressed: damage may show only at the end.

        Raises:
            ArchiveError: the compressed data is damaged or truncated.
        """
        if self.is_compressed:
            stream.skip(_MAX_TRAILER_BYTES)

    def _plain_chunks(self) -> Iterator[bytes]:
        chunks = self._chunks()
        for _ in range(_MAX_LAYERS):
            stream = ByteStream(chunks)
            compression = find_compression(stream.peek(SNIFF_BYTES))
            if compression is None:
                return stream.rest()
            self.is_compressed = True
            chunks = _decompress(stream.rest(), compression, self._is_left)
        raise ArchiveError(f"Unrecognized archive format: compressed more than {_MAX_LAYERS} times")

    def _chunks(self) -> Iterator[bytes]:
        try:
            while chunk := self._file.read(_CHUNK_BYTES):
                yield chunk
        except OSError as err:
            raise OstreeError(f"Error reading {self._name}") from err


class _ReadAhead:
    """A thread that fills a queue."""

    def __init__(self, source: Callable[[], Iterator[bytes]]) -> None:
        from concurrent.futures import Future

        self._source = source
        self._queue: queue.Queue[bytes | None] = queue.Queue(_CHUNKS_AHEAD)
        self._is_stopped = False
        self._outcome: Future[None] = Future()
        # No daemon would be needed if reading could always be ended: a dead network file system.
        self._thread = threading.Thread(target=self._run, name="pyostree-read", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for chunk in self._source():
                self._queue.put(chunk)
                if self._is_stopped:
                    break
        except BaseException as err:  # noqa: BLE001  # handed to who reads, who raises it
            self._outcome.set_exception(err)
        else:
            self._outcome.set_result(None)
        self._queue.put(None)

    def chunks(self) -> Iterator[bytes]:
        """Yield what was read.

        Raises:
            OstreeError: whatever the source raised, in its place.
        """
        while (chunk := self._queue.get()) is not None:
            yield chunk
        self._outcome.result()

    def close(self) -> None:
        """End the thread."""
        self._is_stopped = True
        while True:  # makes room for what the thread wants to put
            try:
                self._queue.get_nowait()
            except queue.Empty:
                break
        self._thread.join()


def _decompress(
    chunks: Iterator[bytes], compression: Compression, is_left: threading.Event
) -> Iterator[bytes]:
    """Yield the decompressed bytes, in chunks of bounded size; junk behind them is ignored.

    Ends early once `is_left`: parts may be many that give nothing, and so no turn to our caller.
    """
    name = compression.name.lower()
    make, error = _decompressor(compression)
    unit = make()
    stream = ByteStream(chunks)
    count = _FIRST_BYTES
    try:
        while not is_left.is_set():
            if unit.eof:
                stream.put_back(unit.unused_data)
                if not continues(compression, _next_part(stream, is_left)):
                    return
                unit = make()
                count = _FIRST_BYTES
            data: Buffer = b""
            if unit.needs_input:
                data = next(stream.pieces(count), b"")
                count = min(2 * count, _CHUNK_BYTES)
                if not data:
                    raise ArchiveError(f"truncated {name} input")
            plain = unit.decompress(data, _CHUNK_BYTES)
            if plain:
                yield plain
    except (error, EOFError, MemoryError, OSError) as err:
        raise ArchiveError(f"{name} decompression failed: {err}") from err


def _next_part(stream: ByteStream, is_left: threading.Event) -> bytes:
    """Pass over padding of zeros; return the start of what follows a part of compressed data."""
    while not is_left.is_set():
        start = stream.peek(SNIFF_BYTES)
        zeros = len(start) - len(start.lstrip(b"\0"))
        if not zeros:
            return start
        stream.skip(zeros)
    return b""


def _decompressor(
    compression: Compression,
) -> tuple[Callable[[], Decompressor], type[Exception]]:
    """Return how to make a decompressor, and what it raises for bad data."""
    match compression:
        case Compression.GZIP:
            from isal import igzip_lib, isal_zlib

            error: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment]  # so its stub
            return lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP), error
        case Compression.BZIP2:
            import bz2

            return bz2.BZ2Decompressor, OSError
        case Compression.XZ:
            import lzma

            return lambda: lzma.LZMADecompressor(memlimit=_MAX_XZ_BYTES), lzma.LZMAError
        case Compression.ZSTD:
            return _zstd()


def _zstd() -> tuple[Callable[[], Decompressor], type[Exception]]:
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.ZstdDecompressor, zstd.ZstdError
