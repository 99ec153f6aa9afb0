"""How long the body of a content object can be, by what it begins with.

A server could send a ``.filez`` without end; its header says how much content it holds.
"""

from __future__ import annotations

from pyostree.errors import FormatError
from pyostree.formats.file_header import PREFIX_BYTES, archive_header_length

_SIZE_BYTES = 8  # the archive header begins with the size of the content
# Deflate stores what it cannot compress, with a few bytes more for each block.
_SPARE_BYTES = 64 << 10
_SPARE_SHARE = 8


def max_archived_bytes(start: bytes) -> int:
    """Return the most that a ``.filez`` that begins with `start` may have.

    Args:
        start: 16 bytes suffice.

    Raises:
        FormatError: it is none.
    """
    length = archive_header_length(start[:PREFIX_BYTES], 1 << 64)
    if len(start) < PREFIX_BYTES + _SIZE_BYTES:
        raise FormatError(f"File header exceeds size {len(start)}")
    size = promised_bytes(start)
    return PREFIX_BYTES + length + size + size // _SPARE_SHARE + _SPARE_BYTES


def promised_bytes(start: bytes) -> int:
    """Return how much content a ``.filez`` that begins with `start` claims to hold.

    Args:
        start: 16 bytes suffice.
    """
    return int.from_bytes(start[PREFIX_BYTES : PREFIX_BYTES + _SIZE_BYTES], "big")
