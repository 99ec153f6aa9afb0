"""PEM: blocks of base64 between ``-----BEGIN LABEL-----`` and ``-----END LABEL-----``.

Source: RFC 7468; that blocks of another kind are an error, and text around them is not, as the
reference reads key files.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyostree.errors import FormatError
from pyostree.formats.lenient_base64 import decode_lenient_base64

_BEGIN, _END, _DASHES = "-----BEGIN ", "-----END ", "-----"
_BLANKS = " \t\n\v\f\r"


def iter_pem(text: str, label: str) -> Iterator[bytes]:
    """Give the content of each block, as far as the text is sound.

    Args:
        text: blocks, with anything around them.
        label: what all of them must be, such as ``PUBLIC KEY``.

    Raises:
        FormatError: a block is of another kind, or has no end.
    """
    lines = (line.strip(_BLANKS) for line in text.split("\n"))
    for line in lines:
        found = _label(line, _BEGIN)
        if found is None:
            continue
        if found != label:
            raise FormatError(f'Unexpected label "{found}"')
        yield decode_lenient_base64("".join(_body(lines, label)))


def _body(lines: Iterator[str], label: str) -> Iterator[str]:
    for line in lines:
        if _label(line, _BEGIN) is not None:
            raise FormatError("PEM trailer not found")
        found = _label(line, _END)
        if found is None:
            yield line
        elif found == label:
            return
        else:
            raise FormatError("Unmatched PEM header")
    raise FormatError("PEM trailer not found")


def _label(line: str, start: str) -> str | None:
    """Return the label of a line that begins or ends a block; None for any other line."""
    if not (line.startswith(start) and line.endswith(_DASHES)):
        return None
    return line[len(start) : -len(_DASHES)] or None
