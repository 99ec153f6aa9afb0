"""Whether the bytes of a metadata object make sense as what they claim to be."""

from __future__ import annotations

from pyostree.errors import CorruptObjectError, FormatError
from pyostree.formats.dirmeta import check_dirmeta
from pyostree.formats.dirtree import check_dirtree
from pyostree.formats.objects import ObjectType


def has_structure(kind: ObjectType, data: bytes) -> bool:
    """Tell whether `data` is a well-formed metadata object of that kind."""
    try:
        check_structure(kind, data)
    except FormatError:
        return False
    return True


def check_structure(kind: ObjectType, data: bytes) -> None:
    """Raise `FormatError` unless `data` is a well-formed metadata object of that kind."""
    match kind:
        case ObjectType.DIRTREE:
            check_dirtree(data)
        case ObjectType.DIRMETA:
            check_dirmeta(data)
        case ObjectType.COMMIT:
            from pyostree.formats.commit import check_commit

            check_commit(data)
        case ObjectType.COMMITMETA | ObjectType.TOMBSTONE_COMMIT:
            from pyostree.formats.commit import decode_metadata

            decode_metadata(data)
        case _:
            raise CorruptObjectError(f"{kind.extension} is not a metadata object")
