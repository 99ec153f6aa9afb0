"""Small text files that a person names on a command line."""

from __future__ import annotations

from pyostree.errors import FormatError
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile

_MAX_BYTES = 256 << 20


def read_text_file(path: str) -> str:
    """Return the content of a UTF-8 file.

    Raises:
        OSError: it cannot be read, or is larger than 256 MiB.
        FormatError: it is not UTF-8, or has a NUL.
    """
    parent, name = Dir.above(path)
    with parent, InputFile(parent.open_read(name)) as file:
        data = file.read_rest(max_bytes=_MAX_BYTES)
    try:
        if b"\0" in data:  # no text, and C programs would see only what comes before it
            raise FormatError("Invalid UTF-8")
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("Invalid UTF-8") from None
