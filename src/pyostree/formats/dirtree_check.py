"""A quick look at a dirtree that says yes to nearly all valid ones: every check reads them all.

Building the entries and encoding them again, as the general check does, takes ten times as long.
"""

from __future__ import annotations

import struct

from pyostree.formats.framing import NARROW_BYTES, offset_width
from pyostree.formats.objects import CHECKSUM_BYTES

_OFFSET_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_LIMITS = {2: (1 << 8) - 1, 4: (1 << 16) - 1, 8: (1 << 32) - 1}  # of the next smaller width
_NO_NAMES = (b"", b".", b"..")


def is_plainly_valid(data: bytes) -> bool:
    """Tell whether `data` is a valid dirtree in normal form, each entry at most 255 bytes long.

    False means nothing; the general check has to say.
    """
    size = len(data)
    if size == 0:
        return False
    width = offset_width(size)
    body_end = size - width
    files_end = int.from_bytes(data[body_end:], "little")
    if files_end > body_end or not _is_narrowest(body_end, 1, width):
        return False
    files = _names(data[:files_end], checksums=1)
    dirs = _names(data[files_end:body_end], checksums=2)
    return files is not None and dirs is not None and not (files and dirs and files & dirs)


def _is_narrowest(body: int, count: int, width: int) -> bool:
    """Tell whether no narrower offsets would do for a container."""
    return width == 1 or body + count * (width >> 1) > _LIMITS[width]


def _names(array: bytes, *, checksums: int) -> set[bytes] | None:
    """Return the names in an array, None unless it is plainly valid and sorted."""
    if not array:
        return set()
    size = len(array)
    width = offset_width(size)
    table = int.from_bytes(array[size - width :], "little")
    count, rest = divmod(size - table, width)
    if rest or count <= 0 or not _is_narrowest(table, count, width):
        return None
    after_name = checksums * (CHECKSUM_BYTES + 1)  # each checksum, and one offset for each
    names = []
    start = 0
    for end in struct.unpack_from(f"<{count}{_OFFSET_CODES[width]}", array, table):
        name_end = end - after_name - 1  # where its NUL is
        if end > table or name_end <= start or end - start > NARROW_BYTES or array[name_end]:
            return None
        # The offsets stand in reverse: the last one says where the name ends, NUL included.
        if array[end - 1] != name_end + 1 - start:
            return None
        if checksums > 1 and array[end - 2] != name_end + 1 + CHECKSUM_BYTES - start:
            return None
        names.append(array[start:name_end])
        start = end
    joined = b"/".join(names)
    found = set(names)
    if (
        len(found) != count
        or names != sorted(names)
        or b"\0" in joined
        or joined.count(b"/") != count - 1
        or not found.isdisjoint(_NO_NAMES)
        or not _is_utf8(joined)
    ):
        return None
    return found


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
