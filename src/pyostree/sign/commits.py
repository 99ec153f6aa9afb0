"""Commits as what is signed, their detached metadata as where signatures are kept."""

from __future__ import annotations

from collections.abc import Callable

from pyostree.errors import doing
from pyostree.formats.commit import Metadata, decode_metadata
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.repo.lock import one_at_a_time
from pyostree.repo.repo import Repo
from pyostree.repo.verify import read_hashed
from pyostree.sign.detached import SIGNATURE_KEYS, signatures_under, with_signature

_TURN_NAME = "sign-lock"  # in tmp/
_READING = "Failed to read detached metadata"


def read_commit_to_sign(repo: Repo, checksum: Checksum) -> bytes:
    """Return the bytes of a commit object (errors as `read_commit`)."""
    with doing("Failed to read commit"):
        return read_commit(repo, checksum)


def append_signature(repo: Repo, checksum: Checksum, key: str, signature: bytes) -> None:
    """Add one signature to those that a commit has under `key`; others may add theirs meanwhile."""
    change_detached(repo, checksum, lambda metadata: with_signature(metadata, key, signature))


def add_signatures(
    repo: Repo,
    checksum: Checksum,
    sign: Callable[[Metadata], Metadata],
    check: Callable[[Metadata], object],
) -> None:
    """Let a function sign a commit once; it may take its time, for which nobody has to wait.

    Args:
        sign: returns the detached metadata that it is given with more signatures.
        check: raises where these may not stand beside the signatures in a dictionary, which others
            have added meanwhile.
    """
    before = _decode(_read(repo, checksum))
    lists = {key: signatures_under(before, key) or () for key in SIGNATURE_KEYS}
    signed = sign(before)
    new = {key: (signatures_under(signed, key) or ())[len(lists[key]) :] for key in lists}

    def add(metadata: Metadata) -> Metadata:
        if any((signatures_under(metadata, key) or ()) != lists[key] for key in lists):
            check(metadata)
        for key, signatures in new.items():
            for signature in signatures:
                metadata = with_signature(metadata, key, signature)
        return metadata

    change_detached(repo, checksum, add)


def change_detached(repo: Repo, checksum: Checksum, change: Callable[[Metadata], Metadata]) -> None:
    """Let a function change the detached metadata of a commit.

    It is called again when others have changed them meanwhile: they do not wait for it, since it
    may take longer than anyone waits.
    """
    while True:
        data = _read(repo, checksum)
        before = _decode(data)
        after = change(before)
        if after is before:
            return
        with one_at_a_time(repo.tmp, _TURN_NAME):
            if _read(repo, checksum) == data:
                repo.write_detached_metadata(checksum, after)
                return


def _read(repo: Repo, checksum: Checksum) -> bytes | None:
    with doing(_READING):
        return repo.store.read_detached(checksum)


def _decode(data: bytes | None) -> Metadata:
    with doing(_READING):
        return () if data is None else decode_metadata(data)


def read_commit(repo: Repo, checksum: Checksum) -> bytes:
    """Return the bytes of a commit object: those that its checksum stands for.

    Other bytes in their place may be signed as well as can be, and say nothing of this commit; nor
    is a vendor to sign them.

    Raises:
        ObjectNotFoundError: it is not in the repository.
        ChecksumMismatchError: what is there has another checksum.
    """
    return read_hashed(repo.store, ObjectName(checksum, ObjectType.COMMIT))
