"""`ByteStream`: chunks of any size, read again in pieces of the sizes that a format asks for."""

from __future__ import annotations

from collections.abc import Iterator


class ByteStream:
    """Reads from an iterator of chunks; holds one of them, and copies nothing that lies within one.

    What it returns may be a view into a chunk.
    """

    __slots__ = ("_chunk", "_chunks", "_end", "_position")

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")
        self._position = 0
        self._end = 0

    def _next_chunk(self) -> bool:
        """Go on to the next chunk that holds something; the current one must be used up."""
        for chunk in self._chunks:
            if chunk:
                self._chunk = memoryview(chunk)
                self._position = 0
                self._end = len(chunk)
                return True
        return False

    def take(self, size: int) -> memoryview:
        """Return the next `size` bytes, fewer only at the end of the stream."""
        if size and self._position == self._end:
            self._next_chunk()
        start = self._position
        if start + size <= self._end:
            self._position = start + size
            return self._chunk[start : start + size]
        return memoryview(b"".join(self.pieces(size)))

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the next `size` bytes as they come, fewer only at the end of the stream."""
        while size:
            if self._position == self._end and not self._next_chunk():
                return
            start = self._position
            count = min(size, self._end - start)
            self._position = start + count
            size -= count
            yield self._chunk[start : start + count]

    def skip(self, size: int) -> int:
        """Pass over the next `size` bytes; return how many were missing at the end."""
        if self._position + size <= self._end:
            self._position += size
            return 0
        for piece in self.pieces(size):
            size -= len(piece)
        return size

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end, without passing over them."""
        if self._position + size <= self._end:
            return bytes(self._chunk[self._position : self._position + size])
        data = bytes(self.take(size))
        self._chunk = memoryview(data + bytes(self._chunk[self._position : self._end]))
        self._position = 0
        self._end = len(self._chunk)
        return data

    def put_back(self, data: bytes) -> None:
        """Go back by `data`, the last bytes that were returned."""
        if len(data) <= self._position:
            self._position -= len(data)
            return
        self._chunk = memoryview(data + bytes(self._chunk[self._position : self._end]))
        self._position = 0
        self._end = len(self._chunk)

    def rest(self) -> Iterator[bytes]:
        """Yield everything that is left."""
        if self._position < self._end:
            yield bytes(self._chunk[self._position :])
            self._position = self._end
        yield from self._chunks
