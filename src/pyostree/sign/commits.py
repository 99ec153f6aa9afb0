"""Commits as what is signed, their detached metadata as where signatures are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from pyostree.errors import ChecksumMismatchError, doing
from pyostree.formats.commit import Metadata
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.repo.lock import one_at_a_time
from pyostree.repo.repo import Repo
from pyostree.sign.detached import with_signature

_TURN_NAME = "sign-lock"  # in tmp/


def read_commit_to_sign(repo: Repo, checksum: Checksum) -> bytes:
    """Return the bytes of a commit object (errors as `read_commit`)."""
    with doing("Failed to read commit"):
        return read_commit(repo, checksum)


def append_signature(repo: Repo, checksum: Checksum, key: str, signature: bytes) -> None:
    """Add one signature to those that a commit has under `key`; others may add theirs meanwhile."""
    change_detached(repo, checksum, lambda metadata: with_signature(metadata, key, signature))


def change_detached(repo: Repo, checksum: Checksum, change: Callable[[Metadata], Metadata]) -> None:
    """Let a function change the detached metadata of a commit; others who do so wait for it."""
    with one_at_a_time(repo.tmp, _TURN_NAME):
        with doing("Failed to read detached metadata"):
            before = repo.read_detached_metadata(checksum) or ()
        after = change(before)
        if after is not before:
            repo.write_detached_metadata(checksum, after)


def read_commit(repo: Repo, checksum: Checksum) -> bytes:
    """Return the bytes of a commit object: those that its checksum stands for.

    Other bytes in their place may be signed as well as can be, and say nothing of this commit; nor
    is a vendor to sign them.

    Raises:
        ObjectNotFoundError: it is not in the repository.
        ChecksumMismatchError: what is there has another checksum.
    """
    data = repo.store.read_metadata(ObjectName(checksum, ObjectType.COMMIT))
    actual = Checksum(hashlib.sha256(data).digest())
    if actual != checksum:
        raise ChecksumMismatchError("commit", str(checksum), str(actual))
    return data
