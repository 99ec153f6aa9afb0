"""A file of the repository from which a static delta makes another one."""

from __future__ import annotations

from contextlib import ExitStack

from pyostree.errors import FormatError
from pyostree.formats.objects import Checksum
from pyostree.fs.mapping import Mapping
from pyostree.fs.tempfile import TempFile
from pyostree.repo.repo import Repo


class Source:
    """The content of a file object, in memory; to be closed.

    Attributes:
        data: its bytes.
    """

    __slots__ = ("_checksum", "_opened", "data")

    def __init__(self, repo: Repo, checksum: Checksum) -> None:
        self._checksum = checksum
        with ExitStack() as opened:
            content = opened.enter_context(repo.store.open_content(checksum))
            if content.raw is not None:
                fd = content.raw.fd
            else:
                file = opened.enter_context(TempFile(repo.store.temp))
                for chunk in content.chunks():
                    file.write(chunk)
                fd = file.fd
            self.data = opened.enter_context(Mapping(fd)).data
            self._opened = opened.pop_all()

    def slice(self, offset: int, length: int) -> memoryview:
        """Return a range of the content.

        Raises:
            FormatError: the content ends before the range does.
        """
        if offset + length > len(self.data):
            raise FormatError(f"Unexpected EOF reading object {self._checksum}")
        return self.data[offset : offset + length]

    def close(self) -> None:
        """Give everything back."""
        self._opened.close()
