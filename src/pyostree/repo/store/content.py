"""An opened content object: its header, and its bytes as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pyostree.closing import Closing
from pyostree.formats.file_header import FileHeader
from pyostree.fs.file import InputFile


class OpenContent(Closing):
    """Header and content of one object; a context manager that owns its file.

    Attributes:
        header: owner, mode, symlink target, xattrs.
        size: bytes of content; 0 for a symlink.
        raw: the file whose bytes are the content as they are, for sharing or copying without
            reading; None where they are compressed, or for a symlink.
    """

    __slots__ = ("_chunks", "_file", "header", "raw", "size")

    def __init__(
        self,
        header: FileHeader,
        size: int,
        file: InputFile | None,
        chunks: Callable[[], Iterator[bytes]] | None = None,
    ) -> None:
        self.header = header
        self.size = size
        self._file = file
        self._chunks = chunks
        self.raw = file if chunks is None else None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def chunks(self) -> Iterator[bytes]:
        """Yield the content once, in chunks of at most 1 MiB."""
        if self._chunks is not None:
            return self._chunks()
        return self._file.chunks() if self._file is not None else iter(())
