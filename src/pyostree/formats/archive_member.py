"""`Member`: one entry of an archive, whatever the archive's format."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from pyostree.errors import FormatError
from pyostree.formats.xattrs import Xattrs

Buffer = bytes | memoryview

# Any of these stands in memory as a whole: long names, long link targets, extended headers (of
# which a record has five bytes at least, and costs thirty times that). libarchive's limit.
MAX_SPECIAL_BYTES = 1 << 20
# Sizes are less: where libarchive's numbers stop, one that large may have been any larger one.
SIZE_LIMIT = (1 << 63) - 1


class ArchiveError(FormatError):
    """An archive is damaged, truncated, or of an unknown format."""

    hint = "look at the archive with `tar -t`, or fetch it again"


class MemberKind(enum.Enum):
    """What an entry is."""

    FILE = enum.auto()
    DIRECTORY = enum.auto()
    SYMLINK = enum.auto()
    HARD_LINK = enum.auto()
    OTHER = enum.auto()  # devices, pipes, parts of files


class Member(NamedTuple):
    """Header of one entry.

    Attributes:
        path: as the archive spells it.
        mode: permission bits only.
        size: bytes of content, holes included.
        target: of a symbolic link or hard link.
        xattrs: sorted, each name once.
    """

    path: bytes
    kind: MemberKind
    mode: int
    uid: int
    gid: int
    size: int
    target: bytes = b""
    xattrs: Xattrs = ()


class ArchiveReader(Protocol):
    """Reads one archive from front to back.

    Content can be read after a member was returned and before the next one is asked for; what is
    not read is passed over.
    """

    def next_member(self) -> Member | None:
        """Return the next member, or None at the end.

        Raises:
            ArchiveError: the archive is damaged or truncated.
        """

    def read_content(self) -> memoryview:
        """Return the current member's content as a whole (errors as `next_member`)."""

    def iter_content(self) -> Iterator[Buffer]:
        """Yield the current member's content piece by piece (errors as `next_member`)."""


def show_path(path: bytes) -> str:
    """Return a path for a message."""
    return path.decode("utf-8", "backslashreplace")
