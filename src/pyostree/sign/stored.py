"""`StoredCommit`: a commit of a repository as signatures see it, bytes and not fields."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from pyostree.errors import ChecksumMismatchError
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.repo.repo import Repo


class StoredCommit(NamedTuple):
    """What is signed, and where the signatures are.

    Attributes:
        data: the bytes of the commit object.
        detached: its encoded detached metadata, None when there is none.
    """

    data: bytes
    detached: bytes | None


def read_stored_commit(repo: Repo, checksum: Checksum) -> StoredCommit:
    """Return a commit whose bytes are those that its checksum stands for.

    Another commit in its place may be signed as well as can be, and says nothing about this one.

    Raises:
        ObjectNotFoundError: there is no such commit.
        ChecksumMismatchError: its bytes have another checksum.
    """
    data = repo.store.read_metadata(ObjectName(checksum, ObjectType.COMMIT))
    actual = Checksum(hashlib.sha256(data).digest())
    if actual != checksum:
        raise ChecksumMismatchError("commit", str(checksum), str(actual))
    return StoredCommit(data, repo.store.read_detached(checksum))
