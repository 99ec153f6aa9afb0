"""`WatchedFile`: a large file being read, which may be cancelled in the middle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyostree.fs.file import InputFile
from pyostree.progress import Watch


class WatchedFile(InputFile):
    """Reads from another file's descriptor, which stays the other's to close."""

    __slots__ = ("_watch",)

    def __init__(self, file: InputFile, watch: Watch) -> None:
        super().__init__(file.fd)
        self._watch = watch

    def read_into(self, buffer: memoryview) -> int:
        """See `InputFile.read_into`.

        Raises:
            CancelledError: the caller wishes so.
        """
        self._watch.check()
        return super().read_into(buffer)

    def chunks(self) -> Iterator[bytes]:
        """See `InputFile.chunks` (errors as `read_into`)."""
        return watched(super().chunks(), self._watch)


def watched(chunks: Iterable[bytes], watch: Watch) -> Iterator[bytes]:
    """Pass `chunks` on until cancelled (errors as `WatchedFile.read_into`)."""
    for chunk in chunks:
        watch.check()
        yield chunk
