"""Whether a stored object is what its name says: its bytes hash to it and make sense."""

from __future__ import annotations

import hashlib

from pyostree.errors import ChecksumMismatchError, doing
from pyostree.formats.file_header import FileHeader, check_file_mode
from pyostree.formats.objects import Checksum, ObjectName
from pyostree.repo.store.base import ObjectStore
from pyostree.repo.store.structure import check_structure


def read_hashed(store: ObjectStore, name: ObjectName) -> bytes:
    """Return the bytes of a metadata object, which hash to its name.

    Raises:
        ObjectNotFoundError: it is missing.
        ChecksumMismatchError: it is corrupt.
    """
    data = store.read_metadata(name)
    digest = hashlib.sha256(data).digest()
    if digest != name.checksum:
        raise ChecksumMismatchError(name.type.extension, str(name.checksum), digest.hex())
    return data


def read_verified(store: ObjectStore, name: ObjectName) -> bytes:
    """Return the bytes of a metadata object, which hash to its name and are well-formed.

    Raises:
        ObjectNotFoundError: it is missing.
        ChecksumMismatchError: it is corrupt.
        FormatError: it never was a sensible object.
    """
    data = read_hashed(store, name)
    with doing(str(name)):
        check_structure(name.type, data)
    return data


def verify_content(store: ObjectStore, checksum: Checksum) -> FileHeader:
    """Read all of a content object; return its header (errors as `read_verified`)."""
    header, actual = store.hash_content(checksum)
    check_file_mode(header.mode)
    if actual != checksum:
        raise ChecksumMismatchError("file", str(checksum), str(actual))
    return header
