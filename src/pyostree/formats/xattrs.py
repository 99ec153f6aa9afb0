"""Arrays of extended attributes, ``a(ayay)``: pairs of name and value, sorted by name.

In memory a name has no NUL; on disk it ends in one. Source: "Xattr array" of the object model.
"""

from __future__ import annotations

from pyostree.errors import FormatError
from pyostree.formats.framing import join_array, offset_width, split_array, with_offsets

Xattrs = tuple[tuple[bytes, bytes], ...]


def encode_xattrs(xattrs: Xattrs) -> bytes:
    """Return the array in the order given; no attributes give no bytes."""
    if not xattrs:
        return b""
    elements = []
    for name, value in xattrs:
        end = len(name) + 1
        elements.append(with_offsets(name + b"\0" + value, [end]))
    return join_array(elements)


def decode_xattrs(data: bytes) -> Xattrs:
    """Return the attributes in the order stored.

    Raises:
        FormatError: broken framing, or a name that is empty or lacks its NUL.
    """
    return tuple(_decode_pair(index, raw) for index, raw in enumerate(split_array(data)))


def _decode_pair(index: int, raw: bytes) -> tuple[bytes, bytes]:
    width = offset_width(len(raw))
    body_end = len(raw) - width
    end = int.from_bytes(raw[body_end:], "little") if raw else 0
    if not raw or end > body_end:
        raise FormatError("Not normal form: bad xattr offsets")
    name = raw[:end]
    if not name[:-1] or name[-1] != 0 or b"\0" in name[:-1]:
        raise FormatError(f"Invalid xattr name (empty or missing NUL) index={index}")
    return name[:-1], raw[end:body_end]


def check_xattrs(xattrs: Xattrs) -> None:
    """Raise `FormatError` unless the attributes are sorted and have distinct names."""
    previous = b""
    for index, (name, _) in enumerate(xattrs):
        if not name:
            raise FormatError(f"Invalid xattr name (empty or missing NUL) index={index}")
        if name == previous:
            raise FormatError(f"Duplicate xattr name, index={index}")
        if name < previous:
            raise FormatError(
                f"Incorrectly sorted xattr name (prev={previous.decode('utf-8', 'replace')}, "
                f"cur={name.decode('utf-8', 'replace')}), index={index}"
            )
        previous = name
